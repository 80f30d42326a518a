/** Writes the synthetic datasets as files, in the layouts of three real datasets. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { writeVideo } from './video/encode';
import { MOTION_CLASSES, motionClip } from './synthetic/motion';
import { frameName } from './pictures/pictures';
import { STILL_CLASSES, stillPicture } from './pictures/stills';

/**
 * `video`: H.264 files in class folders, with csv lists (Kinetics). `frames`: a folder of JPEG frames for each clip, with lists
 * of folder, number of frames and label (Something-Something). `images`: JPEG files in class folders (ImageNet), of shapes.
 */
export type ExportLayout = 'video' | 'frames' | 'images';

export interface ExportOptions {
  layout: ExportLayout;
  seed: number;
  /** Numbers of training and validation clips. */
  train: number;
  val: number;
  /** Height and width. Default 64. */
  size?: number;
  /** Frames of a clip. Default 16. */
  frames?: number;
  /** Files written at the same time. Default 2. */
  workers?: number;
  onFile?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

type Split = 'train' | 'val';

/** One clip or picture to write; validation is stream 1, which shares no clip with training. */
interface Task {
  split: Split;
  stream: number;
  index: number;
  label: number;
}

interface Layout {
  classes: readonly string[];
  /** Path of a clip relative to the exported folder. */
  place(task: Task): string;
  write(file: string, task: Task, options: ExportOptions): Promise<void>;
  /** Contents of the lists, by file name. */
  lists(tasks: readonly Task[], options: ExportOptions): Record<string, string>;
}

const numbered = (index: number): string => String(index).padStart(5, '0');

function drawMotion({ index, stream }: Task, { seed, size = 64, frames = 16 }: ExportOptions) {
  const { pixels } = motionClip(index, { seed, stream, size, frames });
  return { pixels, frames, height: size, width: size };
}

const linesOf = (classes: readonly string[]): string => classes.map((name) => `${name}\n`).join('');

const splitOf = (tasks: readonly Task[], split: Split): Task[] => tasks.filter((task) => task.split === split);

const VIDEO: Layout = {
  classes: MOTION_CLASSES,
  place: ({ split, label, index }) => path.join(split, MOTION_CLASSES[label]!, `${numbered(index)}.mp4`),
  write: (file, task, options) => writeVideo(drawMotion(task, options), file, 30, options.signal),
  lists(tasks) {
    const csv = (split: Split): string =>
      splitOf(tasks, split)
        .map((task) => `${VIDEO.place(task)},${MOTION_CLASSES[task.label]}\n`)
        .join('');
    const names = linesOf(MOTION_CLASSES);
    const beside = { 'train/classes.txt': names, 'val/classes.txt': names };
    return { 'classes.txt': names, ...beside, 'train.csv': csv('train'), 'val.csv': csv('val') };
  },
};

const TEMPLATE = '{:05d}.jpg';

/** JPEG quality; colours keep their full resolution, because chroma subsampling would blur small figures. */
const JPEG = { quality: 95, chromaSubsampling: '4:4:4' } as const;

async function writeJpeg(file: string, pixels: Uint8Array, size: number): Promise<void> {
  await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .jpeg(JPEG)
    .toFile(file);
}

const FRAMES: Layout = {
  classes: MOTION_CLASSES,
  place: ({ split, index }) => path.join('frames', `${split}-${numbered(index)}`),
  async write(folder, task, options) {
    const { pixels, frames, height } = drawMotion(task, options);
    const bytes = pixels.length / frames;
    await mkdir(folder, { recursive: true });
    for (let t = 0; t < frames; t++) {
      const name = path.join(folder, frameName(TEMPLATE, t + 1));
      await writeJpeg(name, pixels.subarray(t * bytes, (t + 1) * bytes), height);
    }
  },
  lists(tasks, { frames = 16 }) {
    const list = (split: Split): string =>
      splitOf(tasks, split)
        .map((task) => `${path.basename(FRAMES.place(task))} ${frames} ${task.label}\n`)
        .join('');
    const [train, val] = ['train', 'validation'].map((name) => `somesomev1_rgb_${name}_split.txt`) as [string, string];
    return { 'classes.txt': linesOf(MOTION_CLASSES), [train]: list('train'), [val]: list('val') };
  },
};

const IMAGES: Layout = {
  classes: STILL_CLASSES,
  place: ({ split, label, index }) => path.join(split, STILL_CLASSES[label]!, `${numbered(index)}.jpg`),
  async write(file, { index, stream }, { seed, size = 64 }) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeJpeg(file, stillPicture(index, { seed, stream, size }), size);
  },
  lists: () => ({}),
};

const LAYOUTS: Readonly<Record<ExportLayout, Layout>> = { video: VIDEO, frames: FRAMES, images: IMAGES };

/** Writes a synthetic dataset in one of the layouts; see `ExportLayout`. Returns the paths of the lists relative to `folder`. */
export async function exportDataset(folder: string, options: ExportOptions): Promise<string[]> {
  const layout = LAYOUTS[options.layout];
  const tasksOf = (split: Split, stream: number): Task[] =>
    Array.from({ length: options[split] }, (_, index) => ({
      ...{ split, stream, index },
      label: index % layout.classes.length,
    }));
  const tasks = [...tasksOf('train', 0), ...tasksOf('val', 1)];
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      await layout.write(path.join(folder, layout.place(task)), task, options);
      options.onFile?.(++done, tasks.length);
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? 2 }, worker));
  const lists = layout.lists(tasks, options);
  for (const [name, text] of Object.entries(lists)) await writeFile(path.join(folder, name), text);
  return Object.keys(lists);
}
