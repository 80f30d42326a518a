/** Reading parts of a file by position, with errors that name the file. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Node refuses reads of 2 GiB and more at once. */
const LARGEST_READ = 1 << 30;

/** Bytes that can be read by position: a file, or the same in memory. */
export interface Source {
  /** Names the source in errors. */
  readonly path: string;
  readonly size: number;
  read(target: Uint8Array, position: number, what: string): void;
  bytes(position: number, length: number, what: string): Buffer;
}

/** A source in memory. */
export class MemorySource implements Source {
  constructor(
    readonly path: string,
    private readonly content: Uint8Array,
  ) {}

  get size(): number {
    return this.content.length;
  }

  read(target: Uint8Array, position: number, what: string): void {
    target.set(this.bytes(position, target.length, what));
  }

  bytes(position: number, length: number, what: string): Buffer {
    requireInside(this, position, length, what);
    return Buffer.from(this.content.subarray(position, position + length));
  }
}

function requireInside({ path, size }: Source, position: number, length: number, what: string): void {
  if (position + length > size)
    throw new Error(`${path}: ${what} needs ${position + length} bytes, the file has ${size}: file truncated`);
}

/** An open regular file of known size. Call `close`, or use {@link withFile}. */
export class InputFile implements Source {
  private constructor(
    readonly path: string,
    private fd: number,
    readonly size: number,
  ) {}

  /** @throws if the file does not exist, is not readable, or is a folder or device */
  static open(path: string): InputFile {
    const fd = openOrExplain(path);
    const stat = fstatSync(fd);
    if (stat.isFile()) return new InputFile(path, fd, stat.size);
    closeSync(fd);
    throw new Error(`${path}: expected a file, got a ${stat.isDirectory() ? 'folder' : 'device or pipe'}`);
  }

  /**
   * Fills `target` with the bytes from `position` on.
   * @param what names the bytes in the error if the file is too short or unreadable
   */
  read(target: Uint8Array, position: number, what: string): void {
    if (this.fd < 0) throw new Error(`${this.path}: reading ${what} after the file was closed`);
    for (let done = 0; done < target.length;) {
      const got = this.readOnce(target, done, position + done, what);
      if (got === 0)
        throw new Error(`${this.path}: ${what} ends after ${done} of ${target.length} bytes: file truncated`);
      done += got;
    }
  }

  private readOnce(target: Uint8Array, from: number, position: number, what: string): number {
    try {
      return readSync(this.fd, target, from, Math.min(target.length - from, LARGEST_READ), position);
    } catch (error) {
      throw new Error(`${this.path}: cannot read ${what} (${(error as Error).message})`, { cause: error });
    }
  }

  /** Reads `length` bytes at `position` into new memory; both must have been checked against {@link size}. */
  bytes(position: number, length: number, what: string): Buffer {
    requireInside(this, position, length, what);
    const buffer = Buffer.alloc(length);
    this.read(buffer, position, what);
    return buffer;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

/** Opens a file for the duration of `use`. */
export function withFile<T>(path: string, use: (file: InputFile) => T): T {
  const file = InputFile.open(path);
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/** Reads a whole file. @throws as `InputFile.open`, instead of waiting for a pipe or reading a device without end */
export function readWholeFile(path: string): Buffer {
  return withFile(path, (file) => file.bytes(0, file.size, 'its content'));
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'expected a file, got a folder',
};

function openOrExplain(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // without it, opening a pipe waits for a writer
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: ${REASONS[code] ?? message}`, { cause: error });
  }
}
