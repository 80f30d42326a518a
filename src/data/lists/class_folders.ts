/** Datasets of class folders: finds their videos and pictures, and reports other files. */
import { readdirSync, realpathSync, statSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { hasKnownEnding, kindOfFile } from './file_kind';

/** Files that operating systems add to folders. */
const isLitter = (name: string): boolean =>
  name.startsWith('.') || /^(__MACOSX|Thumbs\.db|desktop\.ini|\$RECYCLE\.BIN|@eaDir|lost\+found)$/i.test(name);

/** Sorted entries of a folder without system files. Links are followed; dead links are skipped. */
function entriesOf(folder: string): { name: string; folder: boolean; link: boolean }[] {
  const kind = (entry: Dirent): { folder: boolean; link: boolean } | null => {
    if (!entry.isSymbolicLink()) return { folder: entry.isDirectory(), link: false };
    const there = statSync(path.join(folder, entry.name), { throwIfNoEntry: false });
    return there ? { folder: there.isDirectory(), link: true } : { folder: false, link: true };
  };
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !isLitter(name));
  const found = entries.flatMap((entry) => {
    const what = kind(entry);
    return what ? [{ name: entry.name, ...what }] : [];
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Sorted paths below a folder; visits folders in a cycle of links once. */
function filesBelow(folder: string): string[] {
  const [files, seen]: [string[], Set<string>] = [[], new Set([realpathSync(folder)])];
  const walk = (below: string): void => {
    for (const entry of entriesOf(path.join(folder, below))) {
      const name = path.join(below, entry.name);
      if (!entry.folder) files.push(name);
      else if (!entry.link) walk(name);
      else {
        const real = realpathSync(path.join(folder, name));
        if (seen.has(real)) continue;
        seen.add(real);
        walk(name);
      }
    }
  };
  walk('');
  return files;
}

/** Ignored files by extension and reason. */
class LeftOut {
  private readonly kinds = new Map<string, { count: number; first: string }>();

  add(file: string, why: string): void {
    const kind = `${path.extname(file).toLowerCase() || 'no ending'}\0${why}`;
    const known = this.kinds.get(kind);
    if (known) known.count++;
    else this.kinds.set(kind, { count: 1, first: file });
  }

  /** A line for each kind: `.heic: 3 files, cannot be decoded`. */
  lines(): string[] {
    const most = [...this.kinds].sort(([, a], [, b]) => b.count - a.count);
    return most.map(([kind, { count, first }]) => {
      const [ending, why] = kind.split('\0');
      return `left out: ${ending}: ${count === 1 ? '1 file' : `${count} files`}, ${why} (${count === 1 ? '' : 'the first is '}${first})`;
    });
  }
}

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
