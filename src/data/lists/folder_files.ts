/** Finds the files of a folder, and counts those that cannot be used. */
import { readdirSync, realpathSync, statSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { amount } from '../../terminal/format';
import { kindOfFile } from './file_kind';

/** Files that operating systems add to folders. */
const isLitter = (name: string): boolean =>
  name.startsWith('.') || /^(__MACOSX|Thumbs\.db|desktop\.ini|\$RECYCLE\.BIN|@eaDir|lost\+found)$/i.test(name);

/** Sorted entries of a folder without system files. Links are followed; dead links are skipped. */
export function entriesOf(folder: string): { name: string; folder: boolean; link: boolean }[] {
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
export function filesBelow(folder: string): string[] {
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
export class LeftOut {
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
      return `left out: ${ending}: ${amount(count, 'file')}, ${why} (${count === 1 ? '' : 'the first is '}${first})`;
    });
  }
}

/** A video or picture in a folder. */
export interface FoundFile {
  path: string;
  kind: 'video' | 'picture';
}

/** Compares paths with numbers by their value: 2.jpg before 10.jpg. */
const byNumber = new Intl.Collator('en', { numeric: true });

/** Finds the videos and pictures of a folder, at any depth, and what is left out: a line for each kind. */
export function usableFiles(folder: string): { files: FoundFile[]; notes: string[] } {
  const left = new LeftOut();
  const names = filesBelow(folder).sort((a, b) => byNumber.compare(a, b));
  const files = names.flatMap((name): FoundFile[] => {
    const file = path.join(folder, name);
    const found = kindOfFile(file);
    if (found.kind !== 'other') return [{ path: file, kind: found.kind }];
    left.add(name, found.what);
    return [];
  });
  return { files, notes: left.lines() };
}
