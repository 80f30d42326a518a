/** Writes clips as H.264 files, and the motion dataset as a folder that any video program can read. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from './ffmpeg';
import { MOTION_CLASSES, motionClip, type MotionOptions } from './motion';
import type { Clip } from './types';

type Pictures = Pick<Clip, 'pixels' | 'frames' | 'height' | 'width'>;

/** libx264 halves the colour's resolution, which takes even sizes. */
function checkEven({ width, height }: Pictures, file: string): void {
  if (width % 2 === 0 && height % 2 === 0) return;
  throw new Error(`${file}: an H.264 file needs even sizes, got ${width}x${height}`);
}

/**
 * Writes a clip as an H.264 file through FFmpeg; the folder is made if need be. At the default of 30 frames a second a clip
 * that is read back at rate 1 has the frames it was written with.
 */
export async function writeVideo(clip: Pictures, file: string, fps = 30, signal?: AbortSignal): Promise<void> {
  checkEven(clip, file);
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  const size = `${clip.width}x${clip.height}`;
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', size, '-r', String(fps), '-i', 'pipe:0'];
  const output = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-crf', '12'];
  const args = ['-v', 'error', '-threads', '1', '-y', ...input, ...output, `file:${file}`];
  await runProgram('ffmpeg', args, { subject: file, input: clip.pixels, signal });
}

/** Folder name of a class. */
const folderName = (label: number): string => MOTION_CLASSES[label]!.replaceAll(' ', '-');

export interface MotionExport extends Omit<MotionOptions, 'stream'> {
  /** Number of training and of validation clips. */
  train: number;
  val: number;
  /** Files written at the same time. Default 2. */
  workers?: number;
  onFile?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

interface Task {
  split: 'train' | 'val';
  stream: number;
  index: number;
}

/** Where clip `index` of a split goes, relative to the exported folder. */
function taskFile({ split, index }: Task): string {
  return path.join(split, folderName(index % MOTION_CLASSES.length), `${String(index).padStart(5, '0')}.mp4`);
}

async function writeTask(folder: string, task: Task, options: MotionExport): Promise<void> {
  const { size = 64, frames = 16 } = options;
  const { pixels } = motionClip(task.index, { seed: options.seed, stream: task.stream, size, frames });
  const clip = { pixels, frames, height: size, width: size };
  await writeVideo(clip, path.join(folder, taskFile(task)), 30, options.signal);
}

/** The csv of a split: path relative to the csv, class name. */
function csvOf(tasks: readonly Task[], split: string): string {
  const rows = tasks.filter((task) => task.split === split);
  return rows.map((task) => `${taskFile(task)},${folderName(task.index % MOTION_CLASSES.length)}\n`).join('');
}

async function writeLists(folder: string, tasks: readonly Task[]): Promise<void> {
  const classes = MOTION_CLASSES.map((_, label) => `${folderName(label)}\n`).join('');
  const files: Record<string, string> = { 'classes.txt': classes };
  for (const split of ['train', 'val']) {
    files[path.join(split, 'classes.txt')] = classes;
    files[`${split}.csv`] = csvOf(tasks, split);
  }
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
}

/**
 * Writes the motion dataset as H.264 files: `<folder>/{train,val}/<class>/<number>.mp4`, with `train.csv`, `val.csv` and
 * `classes.txt` beside. Both the csv files and the folders of class folders can be trained on. Validation is stream 1.
 */
export async function exportMotion(folder: string, options: MotionExport): Promise<void> {
  const split = (name: Task['split'], stream: number): Task[] =>
    Array.from({ length: options[name] }, (_, index) => ({ split: name, stream, index }));
  const tasks = [...split('train', 0), ...split('val', 1)];
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      await writeTask(folder, task, options);
      options.onFile?.(++done, tasks.length);
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? 2 }, worker));
  await writeLists(folder, tasks);
}
