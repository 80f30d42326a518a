/** Finds files with the same content under different names, before a split or a training. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { LabelledFile } from './types';

const CHUNK = 1 << 20;

/** SHA-256 of a file. */
function digestOf(file: string): string {
  const hash = createHash('sha256');
  const [handle, buffer] = [openSync(file, 'r'), Buffer.alloc(CHUNK)];
  try {
    for (let read = 0; (read = readSync(handle, buffer, 0, CHUNK, null)) > 0;) hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex');
}

const all = (same: readonly number[]): boolean => same.length > 1;

/**
 * For each item the number of the first item with the same content. Empty files are no copies; files of different sizes are not read, nor those of a size whose
 * items (their numbers) are not `worth` it.
 */
export function firstCopies(
  items: readonly LabelledFile[],
  worth: (same: readonly number[]) => boolean = all,
): Int32Array {
  const bySize = new Map<number, number[]>();
  items.forEach(({ path: file }, i) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats?.isFile() || stats.size === 0) return;
    const same = bySize.get(stats.size);
    if (same) same.push(i);
    else bySize.set(stats.size, [i]);
  });
  const first = Int32Array.from(items, (_, i) => i);
  for (const same of bySize.values()) {
    if (!worth(same)) continue;
    const seen = new Map<string, number>();
    for (const i of same) {
      const digest = digestOf(items[i]!.path);
      first[i] = seen.get(digest) ?? i;
      seen.set(digest, first[i]);
    }
  }
  return first;
}
