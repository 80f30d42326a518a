/** Lists of the pictures of IDX files: MNIST, Fashion-MNIST and others of their layout. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { idxName, labelNames, readIdx, type IdxArray, type IdxPicture } from '../pictures/idx';
import { pictureInfo } from '../video/info';
import { expectClasses, ownClasses, placesAmong, type ClassOptions } from './class_names';
import type { LabelledFile, Listing } from './types';

/** Options of `readIdxList`. */
export interface IdxOptions extends ClassOptions {
  /** The part of a folder. Default train. */
  split?: 'train' | 'test';
  /** Whether the model takes pictures. */
  pictures?: boolean;
}

/** The classes of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), in the order of its labels. */
const FASHION = [
  ...['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat'],
  ...['Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
];

/** CRC-32 of the labels of Fashion-MNIST's training and test set: its files have the names of MNIST's. */
const FASHION_LABELS = [785835114, 606848831];

/** Sets of a folder for training and for tests, by preference. */
const SETS = { train: ['train'], test: ['t10k', 'test', 'val'] } as const;

const imageFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => idxName(name)?.what === 'images')
    .sort();

/** Whether a path is an IDX file of pictures, or a folder with one. */
export function isIdx(source: string): boolean {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined) return false;
  return found.isDirectory() ? imageFiles(source).length > 0 : idxName(source)?.what === 'images';
}

/** The pictures `first` to `last` (default: the last of the file) of an IDX file. @throws if the file is damaged or has fewer */
export function idxPictures(file: string, first = 0, last?: number): (IdxPicture & { kind: 'idx' })[] {
  const [count, height, width] = readIdx(file, 3).sizes as [number, number, number];
  const end = last ?? count - 1;
  if (first > end || end >= count)
    throw new Error(`${file}: pictures ${first} to ${end} were asked for, it has 0 to ${count - 1}`);
  return Array.from({ length: end - first + 1 }, (_, i) => ({
    ...({ kind: 'idx', path: file, index: first + i, width, height } as const),
  }));
}

/** The pictures of a folder for training or for tests. */
function imagesIn(source: string, split: keyof typeof SETS): string {
  if (!statSync(source).isDirectory()) return source;
  const files = imageFiles(source);
  const found = SETS[split].flatMap((set) => files.filter((name) => idxName(name)!.set === set))[0];
  if (found !== undefined) return path.join(source, found);
  throw new Error(
    `${source}: expected pictures for ${split === 'train' ? 'training' : 'validation or tests'} ` +
      `(${SETS[split][0]}-images-idx3-ubyte), found ${files.join(', ')}; give one of these files by its name`,
  );
}

function labelsOf(images: string): { file: string; labels: Uint8Array } {
  const names = labelNames(images);
  const file = names.find((name) => existsSync(name));
  if (file === undefined) throw new Error(`${images}: its labels, ${names[0]}, do not exist (nor with .gz)`);
  return { file, labels: readIdx(file, 1).bytes };
}

/** Names of the classes, and where they are from. */
function namesOf(
  images: string,
  labels: Uint8Array,
  options: IdxOptions,
): { names: string[]; from: string; note: string[] } {
  const own = ownClasses(path.dirname(images), options);
  if (own) return { names: [...own.names], from: own.from, note: [] };
  if (FASHION_LABELS.includes(crc32(labels)))
    return {
      names: FASHION,
      from: images,
      note: ['the labels are those of Fashion-MNIST, and so are the class names'],
    };
  const most = labels.reduce((a, b) => Math.max(a, b), 0);
  return { names: Array.from({ length: most + 1 }, (_, i) => String(i)), from: images, note: [] };
}

function digestOf(images: IdxArray, labels: Uint8Array): string {
  return createHash('sha256').update(images.sizes.join()).update(images.bytes).update(labels).digest('hex');
}

/**
 * Reads the list of the pictures of an IDX file, or of a folder of IDX files: its set for training or for tests. Picture 17 of a
 * file is named `file#17`.
 * @throws in one sentence if a file is damaged, the labels are missing or of another number, or the model takes videos
 */
export function readIdxList(source: string, options: IdxOptions): Listing {
  const file = imagesIn(source, options.split ?? 'train');
  if (options.pictures !== true)
    throw new Error(`${file}: these are pictures, and the model takes videos; give a model of images, such as image-t`);
  const images = readIdx(file, 3);
  const { file: labelFile, labels } = labelsOf(file);
  const [count, height, width] = images.sizes as [number, number, number];
  if (labels.length !== count)
    throw new Error(`${labelFile}: ${labels.length} labels for the ${count} pictures of ${file}`);
  const { names, from, note } = namesOf(file, labels, options);
  const beyond = labels.findIndex((label) => label >= names.length);
  if (beyond >= 0)
    throw new Error(
      `${labelFile}: label ${labels[beyond]} of picture ${beyond} is outside 0..${names.length - 1}, the classes of ${from}`,
    );
  const classNames = options.known ? [...options.known] : expectClasses(file, names, options);
  const places = placesAmong(names, from, options);
  const info = pictureInfo({ width, height });
  const items = Array.from(labels, (label, index): LabelledFile => {
    const own = { kind: 'idx', path: file, index, width, height } as const;
    return { path: `${file}#${index}`, label: places[label]!, source: own, info };
  });
  const used = new Set(items.map(({ label }) => label));
  return {
    ...{ source: file, items, classNames, missing: [], duplicates: 0, notes: note },
    emptyClasses: classNames.filter((_, label) => !used.has(label)),
    digest: digestOf(images, labels),
  };
}
