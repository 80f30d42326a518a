/**
 * Atomic file writes: to a temporary file in the same folder, flushed to the disk and renamed. A reader, a crash or a full disk
 * sees the previous file or the new one, never a partial one.
 */
import * as nodeFs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/** The functions of `node:fs` in use; tests pass failing ones. */
export type FileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'unlinkSync' | 'realpathSync'
>;

/** Appends bytes to the file that is being written. */
export type Write = (bytes: Uint8Array) => void;

/**
 * Writes `path` through `fill`, which is called once with a function that appends bytes.
 *
 * The temporary file is in the same folder (a rename within one file system is atomic) and is flushed before the
 * rename, and the folder after it, so that after a power loss the name points at complete data. A symbolic link is
 * followed: its target is replaced, the link stays.
 *
 * @throws if the file cannot be written; the previous file is then untouched and no temporary file is left. An error thrown by
 *   `fill` is rethrown after the same cleanup.
 */
export function writeFileAtomic(path: string, fill: (write: Write) => void, fs: FileSystem = nodeFs): void {
  const target = resolveLink(path, fs);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  const fd = attempt(path, 'creating a file beside it', () => fs.openSync(temporary, 'wx', 0o666));
  try {
    writeAndClose(path, fd, fill, fs);
    attempt(path, 'renaming', () => fs.renameSync(temporary, target));
  } catch (error) {
    removeQuietly(temporary, fs);
    throw error;
  }
  syncFolder(path, dirname(target), fs);
}

/** Names of temporary files: `.NAME.PID-RANDOM.tmp`. */
const TEMPORARY = /^\..+\.(\d+)-[0-9a-f]{8}\.tmp$/;

/** Whether a process of this machine exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes the temporary files in `folder` of processes that were killed while they wrote. Returns their names. */
export function clearTemporaries(folder: string): string[] {
  const left = nodeFs.readdirSync(folder).filter((name) => {
    const pid = Number(TEMPORARY.exec(name)?.[1]);
    return !Number.isNaN(pid) && (pid === process.pid || !isRunning(pid));
  });
  for (const name of left) removeQuietly(join(folder, name), nodeFs);
  return left;
}

function resolveLink(path: string, fs: FileSystem): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path;
  }
}

function writeAndClose(path: string, fd: number, fill: (write: Write) => void, fs: FileSystem): void {
  try {
    fill((bytes) => attempt(path, 'writing', () => writeAll(fd, bytes, fs)));
    attempt(path, 'flushing', () => fs.fsyncSync(fd));
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes in pieces: the system may write fewer bytes than requested, and Node refuses 2 GiB and more at once. */
function writeAll(fd: number, bytes: Uint8Array, fs: FileSystem): void {
  for (let done = 0; done < bytes.length;) {
    const part = fs.writeSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30));
    if (part === 0) throw Object.assign(new Error('the system took no bytes'), { code: 'EIO' });
    done += part;
  }
}

function removeQuietly(path: string, fs: FileSystem): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // The original error is more informative.
  }
}

/** Some file systems cannot flush a folder (and Windows has no such thing); the file itself is safe there. */
const CANNOT_FLUSH_FOLDERS = ['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'EACCES', 'EBADF'];

function syncFolder(path: string, folder: string, fs: FileSystem): void {
  try {
    const fd = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (CANNOT_FLUSH_FOLDERS.includes(code)) return;
    throw new Error(`${path}: saved, but its folder could not be flushed to the disk (${code})`, { cause: error });
  }
}

const REASONS: Record<string, string> = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than allowed',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'its parent is not a folder',
  EISDIR: 'a folder has this name',
  EIO: 'the disk reported an error',
};

function attempt<T>(path: string, doing: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = REASONS[code ?? ''] ?? message;
    throw new Error(`${path}: not saved, ${reason} (${code ?? 'error'} while ${doing}); a previous file is unchanged`, {
      cause: error,
    });
  }
}
