/**
 * The decoding process. It isolates node-av: a file that crashes its libraries loses a clip, not the training. It ends
 * with its parent.
 */
import { Worker } from 'node:worker_threads';
import { encode, recode } from './av_encode';
import { decode, frameTimes } from './av_frames';
import { lib, loadAv, messages, scan } from './av_input';
import type { Coding, FrameRequest, RawFrames, Recoding, VideoFile } from './decoder';

/** Request of the parent process. */
export type Job =
  | { do: 'version' }
  | { do: 'scan'; file: VideoFile }
  | { do: 'frameTimes'; file: VideoFile; stream: number }
  | { do: 'decode'; request: FrameRequest }
  | { do: 'encode'; frames: RawFrames; file: string; coding: Coding }
  | { do: 'recode'; recoding: Recoding };

export type Answer = { id: number; result: unknown } | { id: number; error: string; code: string | null };

function perform(job: Job): unknown {
  switch (job.do) {
    case 'version':
      return lib().getFFmpegInfo().version;
    case 'scan':
      return scan(job.file);
    case 'frameTimes':
      return frameTimes(job.file, job.stream);
    case 'decode':
      return decode(job.request);
    case 'encode':
      return encode(job.frames, job.file, job.coding);
    case 'recode':
      return recode(job.recoding);
  }
}

async function answer(id: number, job: Job): Promise<Answer> {
  try {
    await loadAv();
    await messages(); // of the job before
    return { id, result: await perform(job) };
  } catch (error) {
    const { message, code = null } = error as Error & { code?: string };
    return { id, error: message, code: typeof code === 'string' ? code : null };
  }
}

/** Runs jobs sequentially. */
let turn = Promise.resolve();
process.on('message', ({ id, job }: { id: number; job: Job }) => {
  turn = turn.then(async () => {
    const message = await answer(id, job);
    if (process.connected) process.send?.(message);
  });
});
process.on('disconnect', () => process.exit());

/** Ends this process with its parent even within a call of FFmpeg that does not return: the process group does not. */
const WATCH = `
  const { workerData: parent } = require('node:worker_threads');
  setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), 1000);
`;
new Worker(WATCH, { eval: true, workerData: process.ppid, execArgv: [] }).unref();
