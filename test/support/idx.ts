import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** An IDX file of `count` pictures of width 6 and height 5; byte i of the pictures is 7 i mod 256. */
export function idxImages(count: number, [height, width] = [5, 6]): Buffer {
  const header = Buffer.from([0, 0, 8, 3, ...[count, height!, width!].flatMap((n) => [n >> 24, n >> 16, n >> 8, n])]);
  return Buffer.concat([
    header,
    Buffer.from(Array.from({ length: count * height! * width! }, (_, i) => (7 * i) % 256)),
  ]);
}

/** An IDX file of labels. */
export function idxLabels(labels: readonly number[]): Buffer {
  return Buffer.from([0, 0, 8, 1, 0, 0, labels.length >> 8, labels.length & 255, ...labels]);
}

/** Writes pictures and labels under the names of MNIST's files. */
export function writeIdxSet(
  folder: string,
  set: string,
  labels: readonly number[],
  ending: string,
  images = idxImages(labels.length),
): void {
  const pack = (data: Buffer) => (ending === '.gz' ? gzipSync(data) : data);
  writeFileSync(path.join(folder, `${set}-images-idx3-ubyte${ending}`), pack(images));
  writeFileSync(path.join(folder, `${set}-labels-idx1-ubyte${ending}`), pack(idxLabels(labels)));
}
