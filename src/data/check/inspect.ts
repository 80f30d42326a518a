/** Inspects one listed file with the decoder, for `data check`. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { LabelledFile } from '../lists/types';
import { decodeSource, probeSource, sourceOf, type Source } from '../source';
import { allViews, planClip, type VideoOptions } from '../video/clip_plan';
import type { Views } from '../sampling';
import { isUnreadable, type SeenFrame } from '../types';
import { frameTime, type VideoInfo } from '../video/info';

/** Frame size, length and bytes of a readable file, or the reason why it is unreadable. */
export type FileFacts =
  | (Pick<VideoInfo, 'width' | 'height' | 'fps' | 'frames' | 'duration' | 'warning'> & {
      bytes: number;
      /** Frames of each test view, if `SeenViews` was given. */
      views?: SeenFrame[][];
    })
  | { unreadable: string };

/** Test views for which the frames are listed. */
export interface SeenViews {
  clips: VideoOptions;
  views: Views;
}

/** Source of item i of a listing. */
export const itemSource = ({ path: file, source }: LabelledFile): Source => source ?? sourceOf(file);

/** Files that contain the pictures of a source. */
export async function contentFiles(source: Source): Promise<string[]> {
  if (source.kind === 'files') return source.files.map((name) => path.join(source.path, name));
  if (source.kind !== 'frames') return [source.path];
  return (await readdir(source.path)).sort().map((name) => path.join(source.path, name));
}

async function bytesOf(source: Source): Promise<number> {
  if (source.kind === 'idx') return source.width * source.height;
  if ('part' in source && source.part) return source.part.end - source.part.start;
  const sizes = await Promise.all((await contentFiles(source)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Size to which the first frame is decoded as a test. */
const TINY = [16, 16] as const;

/** Numbers (from 0) and times of the frames in each view. */
function framesSeen(info: VideoInfo, { clips, views }: SeenViews): SeenFrame[][] {
  return allViews(views).map((choice) =>
    planClip(clips, info, choice).frames.map((number) => ({ number, timestamp: frameTime(info, number) })),
  );
}

/** Reads a file's index and decodes its first frame. Rejects only if there is no decoder. */
export async function inspectFile(item: LabelledFile, see?: SeenViews, signal?: AbortSignal): Promise<FileFacts> {
  const source = itemSource(item);
  try {
    const info = await probeSource(source, { signal });
    await decodeSource(source, [0], TINY, info, { signal });
    const { width, height, fps, frames, duration, warning } = info;
    return {
      ...{ width, height, fps, frames, duration, bytes: await bytesOf(source) },
      ...(warning === undefined ? {} : { warning }),
      ...(see ? { views: framesSeen(info, see) } : {}),
    };
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (isUnreadable(error) || /^E[A-Z]+$/.test(code)) return { unreadable: (error as Error).message };
    throw error;
  }
}
