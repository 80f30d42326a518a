import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EEXIST: 'a file has this name',
  ENOENT: 'no folder can be made there',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'a part of this path is a file',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
};

/**
 * Creates a folder and its missing parents, one by one, because Node's recursive mkdir never returns below a folder that refuses
 * new ones, such as /proc.
 * @throws with the path and the reason
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return;
    const above = path.dirname(path.resolve(folder));
    if (code !== 'ENOENT' || existsSync(above))
      throw new Error(`${folder}: expected a folder or a place for one: ${REASONS[code] ?? message}`, { cause: error });
    makeFolder(above);
    makeFolder(folder);
  }
}
