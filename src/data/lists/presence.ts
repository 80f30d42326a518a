/** Finds missing and duplicate files of large lists; a folder with many of them is read once. */
import { existsSync, readdirSync } from 'node:fs';

/** Number of files above which reading the folder is cheaper than a lookup of each. */
const MANY = 16;

/** Names that exist, with value -1; links are omitted, because their targets may be missing. */
function namesIn(folder: string): Map<string, number> {
  const names = new Map<string, number>();
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (!entry.isSymbolicLink()) names.set(entry.name, -1);
  } catch {
    // An unreadable folder: its files are looked up one by one and reported missing.
  }
  return names;
}

/** Folder of an absolute path, with a trailing /. */
const folderOfPath = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1);

/** Item numbers by folder: folder f has `order[starts[f]]` to `order[starts[f + 1] - 1]`. */
interface ByFolder {
  folders: string[];
  order: Int32Array;
  starts: Int32Array;
}

function byFolder(files: readonly string[]): ByFolder {
  const numbers = new Map<string, number>();
  const folderOf = new Int32Array(files.length);
  for (let i = 0; i < files.length; i++) {
    const folder = folderOfPath(files[i]!);
    let number = numbers.get(folder);
    if (number === undefined) numbers.set(folder, (number = numbers.size));
    folderOf[i] = number;
  }
  const starts = new Int32Array(numbers.size + 1);
  for (const folder of folderOf) starts[folder + 1]!++;
  for (let f = 0; f < numbers.size; f++) starts[f + 1]! += starts[f]!;
  const [order, next] = [new Int32Array(files.length), starts.slice()];
  for (let i = 0; i < files.length; i++) order[next[folderOf[i]!]!++] = i;
  return { folders: [...numbers.keys()], order, starts };
}

/** Missing and duplicate files of a list. */
export interface Presence {
  /** 1 for a missing file. */
  missing: Uint8Array;
  /** For each file, the number of the first file with the same path (its own number if unique so far). */
  first: Int32Array;
}

/** Looks up files by their absolute paths. */
export function lookFor(files: readonly string[]): Presence {
  const missing = new Uint8Array(files.length);
  const first = new Int32Array(files.length);
  const { folders, order, starts } = byFolder(files);
  folders.forEach((folder, f) => {
    const items = order.subarray(starts[f], starts[f + 1]);
    // First item of each name; -1 before any item names it.
    const named = items.length >= MANY ? namesIn(folder) : new Map<string, number>();
    for (const i of items) {
      const name = files[i]!.slice(folder.length);
      const before = named.get(name);
      if (before === undefined || before < 0) {
        first[i] = i;
        named.set(name, i);
        if (before === undefined && !existsSync(files[i]!)) missing[i] = 1;
      } else first[i] = before;
    }
  });
  return { missing, first };
}
