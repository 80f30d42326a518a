/** Finds missing and duplicate files of large lists; a folder with many of them is read once. */
import { existsSync, readdirSync } from 'node:fs';

/** Number of files above which reading the folder is cheaper than a lookup of each. */
const MANY = 16;

/** Some file systems take names for equal that differ in case or in the composition of accents. */
const folded = (name: string): string => name.normalize().toLowerCase();

/**
 * Whether a folder, which ends in /, has an entry: it is read once. A link is looked up, because its target may be missing, and a name
 * that an entry resembles.
 */
function entriesOf(folder: string): (name: string) => boolean {
  const lookUp = (name: string): boolean => existsSync(folder + name);
  const [names, links]: [Set<string>, string[]] = [new Set(), []];
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) links.push(entry.name);
      else names.add(entry.name);
    }
  } catch {
    return lookUp; // it cannot be read: its files may be there nevertheless
  }
  let alike: Set<string> | undefined;
  const resembles = (name: string): boolean => {
    alike ??= new Set([...names, ...links].map(folded));
    return alike.has(folded(name));
  };
  return (name) => names.has(name) || (resembles(name) && lookUp(name));
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
    const exists = items.length >= MANY ? entriesOf(folder) : (name: string) => existsSync(folder + name);
    // Equal paths are in one folder, whose names are shorter to hash and few enough to stay in the cache.
    const firstOf = new Map<string, number>();
    for (const i of items) {
      const name = files[i]!.slice(folder.length);
      first[i] = firstOf.get(name) ?? i;
      if (first[i] !== i) continue;
      firstOf.set(name, i);
      if (!exists(name)) missing[i] = 1;
    }
  });
  return { missing, first };
}
