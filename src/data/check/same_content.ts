/** Finds files with identical bytes. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { LabelledFile } from '../lists/types';
import { readIdxPicture } from '../pictures/idx';
import { contentFiles, itemSource } from './inspect';

/** An item and its bytes; files of different sizes are not compared. */
export interface Sized {
  item: LabelledFile;
  bytes: number;
}

async function digestOf(item: LabelledFile): Promise<string> {
  const source = itemSource(item);
  const hash = createHash('sha256');
  if (source.kind === 'idx') return hash.update(await readIdxPicture(source)).digest('hex');
  const part = 'part' in source && source.part ? { start: source.part.start, end: source.part.end - 1 } : {};
  for (const file of await contentFiles(source))
    for await (const chunk of createReadStream(file, part)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function grouped<T>(items: readonly T[], key: (item: T) => string | number): T[][] {
  const groups = new Map<string | number, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Groups of items with equal content, each in the order given; `onFile` hears of each file that is read. */
export async function sameContent<T extends Sized>(items: readonly T[], onFile?: () => void): Promise<T[][]> {
  const found: T[][] = [];
  for (const equal of grouped(items, ({ bytes }) => bytes)) {
    const hashed: { digest: string; sized: T }[] = [];
    for (const sized of equal) {
      hashed.push({ digest: await digestOf(sized.item), sized });
      onFile?.();
    }
    found.push(...grouped(hashed, ({ digest }) => digest).map((group) => group.map(({ sized }) => sized)));
  }
  return found;
}
