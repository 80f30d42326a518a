// A thread that decodes videos: reading the pipes of FFmpeg must not wait for the kernels that keep the main thread busy.
import { parentPort } from 'node:worker_threads';
import { decode, probe, type VideoInfo } from './ffmpeg';
import { clipRequest, type ClipSpec } from './clip_spec';

interface Job {
  id: number;
  spec: ClipSpec;
}

const known = new Map<string, Promise<VideoInfo>>();

function infoOf(path: string): Promise<VideoInfo> {
  const info = known.get(path) ?? probe(path);
  known.set(path, info);
  return info;
}

async function run({ id, spec }: Job): Promise<void> {
  try {
    const info = await infoOf(spec.path);
    const pixels = await decode(clipRequest(spec, info), info);
    parentPort?.postMessage({ id, pixels }, [pixels.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: (error as Error).message });
  }
}

parentPort?.on('message', (job: Job) => void run(job));
