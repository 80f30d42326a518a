/** Datasets of class folders: finds their videos and pictures, and reports other files. */
import path from 'node:path';
import { hasKnownEnding, kindOfFile } from './file_kind';
import { entriesOf, filesBelow, LeftOut } from './folder_files';

/** A file of a class folder. */
export interface FolderFile {
  /** Relative to the root of the class folders. */
  path: string;
  /** Its kind, if the extension does not determine it. */
  kind?: 'video' | 'picture';
}

/** Contents of class folders. */
export interface ClassFolders {
  /** Sorted class folders and their files. */
  classes: Map<string, FolderFile[]>;
  /** Files left out, one line per kind. */
  notes: string[];
}

/** The file of a class, or null if it is ignored. */
function usable(root: string, name: string, pictures: boolean, left: LeftOut): FolderFile | null {
  const found = kindOfFile(path.join(root, name));
  if (found.kind === 'other') left.add(name, found.what);
  else if (found.kind === 'picture' && !pictures) left.add(name, 'a picture, and the model takes videos');
  else return hasKnownEnding(name) ? { path: name } : { path: name, kind: found.kind };
  return null;
}

const SPLITS = /^(train|training|val|valid|validation|test|testing|dev|eval)$/i;

/** Rejects a folder of splits (train, val), which would become classes. */
function refuseSplits(root: string, folders: readonly string[]): void {
  if (folders.length < 1 || !folders.every((name) => SPLITS.test(name))) return;
  const [first] = folders;
  throw new Error(
    `${root}: its folders are ${folders.join(', ')}, parts of a dataset and no classes; give ${path.join(root, first!)}`,
  );
}

/**
 * Scans the class folders of `root` recursively. A folder without files is not a class.
 * @throws if there is no folder, or the folders are `train` and `val`
 */
export function readClassFolders(root: string, pictures: boolean): ClassFolders {
  const entries = entriesOf(root);
  const folders = entries.filter((entry) => entry.folder).map(({ name }) => name);
  if (folders.length === 0) throw new Error(`${root}: expected one folder per class, found no folder`);
  refuseSplits(root, folders);
  const [left, empty]: [LeftOut, string[]] = [new LeftOut(), []];
  const classes = new Map<string, FolderFile[]>();
  for (const { name, folder } of entries) {
    if (!folder) {
      if (kindOfFile(path.join(root, name)).kind !== 'other') left.add(name, 'beside the class folders');
      continue;
    }
    const files = filesBelow(path.join(root, name));
    if (files.length === 0) empty.push(name);
    else
      classes.set(
        name,
        files.flatMap((file) => usable(root, path.join(name, file), pictures, left) ?? []),
      );
  }
  const notes = left.lines();
  if (empty.length > 0)
    notes.push(
      `${empty.length === 1 ? '1 empty folder is' : `${empty.length} empty folders are`} no class: ${empty.slice(0, 8).join(', ')}`,
    );
  return { classes, notes };
}
