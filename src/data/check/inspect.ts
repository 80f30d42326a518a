/** The facts of one listed file: the one place where `data check` asks the decoder. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { LabelledFile } from '../lists/listing';
import { decodeSource, probeSource, sourceOf, type Source } from '../source';
import { allViews, planClip, type VideoOptions } from '../video/clip_plan';
import type { Views } from '../sampling';
import { isUnreadable } from '../types';
import type { VideoInfo } from '../video/video';

/** Size, length and bytes of a file that can be read, or why it cannot. */
export type FileFacts =
  (Omit<VideoInfo, 'exact' | 'steady' | 'offset' | 'rotation'> & { bytes: number }) | { unreadable: string };

/** How item i of a listing is read. */
export const itemSource = ({ path: file, source }: LabelledFile): Source => source ?? sourceOf(file);

/** Files that hold the pictures of a source, and the part of them that is meant. */
export async function contentFiles(source: Source): Promise<string[]> {
  if (source.kind === 'files') return source.files.map((name) => path.join(source.path, name));
  if (source.kind !== 'frames') return [source.path];
  return (await readdir(source.path)).sort().map((name) => path.join(source.path, name));
}

async function bytesOf(source: Source): Promise<number> {
  if ('part' in source && source.part) return source.part.end - source.part.start;
  const sizes = await Promise.all((await contentFiles(source)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Pictures of this size are made of a first frame, to see whether it decodes. */
const TINY = [16, 16] as const;

/** Probes a file and decodes its first frame. Rejects only where no file is to blame (FFmpeg is absent). */
export async function inspectFile(item: LabelledFile, signal?: AbortSignal): Promise<FileFacts> {
  const source = itemSource(item);
  try {
    const info = item.info ?? (await probeSource(source, { signal }));
    await decodeSource(source, [0], TINY, info, { signal });
    const { width, height, fps, frames, duration } = info;
    return { width, height, fps, frames, duration, bytes: await bytesOf(source) };
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (isUnreadable(error) || /^E[A-Z]+$/.test(code)) return { unreadable: (error as Error).message };
    throw error;
  }
}

/** For each test view of a file the frames that the network would see, numbered from 0. */
export function viewFrames(facts: FileFacts, options: VideoOptions, views: Views): number[][] {
  if ('unreadable' in facts) return [];
  const info = { ...facts, exact: true, steady: true, offset: 0, rotation: 0 };
  return allViews(views).map((choice) => planClip(options, info, choice).frames);
}
