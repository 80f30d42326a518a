/** The lock of a run's folder: two trainings in one folder would mix their files. */
import { randomBytes } from 'node:crypto';
import {
  constants,
  copyFileSync,
  linkSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isRunning } from '../formats/atomic';

/** The process that holds a lock. */
interface Holder {
  pid: number;
  host: string;
  /** The namespace of `pid` (Linux), which tells containers of one host name apart; '' elsewhere. */
  namespace: string;
  /** When the process started, in clock ticks since the boot (Linux): the system reuses numbers of processes. */
  started: string;
  token: string;
}

/** Milliseconds after which a lock without readable content counts as left behind. */
const BEING_WRITTEN = 10_000;

function namespaceOf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Field 22 of /proc/PID/stat; its second field may contain spaces and parentheses. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function readHolder(file: string): Holder | null {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder> | null;
    return typeof holder?.pid === 'number' && typeof holder.host === 'string' ? (holder as Holder) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Whether the process that took a lock has ended. Processes of other machines and containers cannot be seen. */
function isStale(file: string, holder: Holder | null): boolean {
  if (holder === null) return Date.now() - statSync(file).mtimeMs > BEING_WRITTEN;
  if (holder.host !== os.hostname() || holder.namespace !== namespaceOf()) return false;
  return !isRunning(holder.pid) || (holder.started !== '' && startOf(holder.pid) !== holder.started);
}

function busy(file: string, holder: Holder | null): Error {
  const who = holder === null ? 'another process' : `process ${holder.pid} on ${holder.host}`;
  return new Error(
    `${path.dirname(file)}: ${who} is training into this folder; wait for it, give another --out, ` +
      `or delete ${file} if that process no longer runs`,
  );
}

/** Creates `file` with its content at once, so that nobody reads half a lock. @throws EEXIST if it is there */
function create(file: string, content: string): void {
  const temporary = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`,
  );
  writeFileSync(temporary, content);
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error;
    copyFileSync(temporary, file, constants.COPYFILE_EXCL); // a file system without hard links
  } finally {
    unlinkSync(temporary);
  }
}

/** Removes a stale lock, unless another process has replaced it since. */
function removeStale(file: string, stale: Holder | null): void {
  const aside = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  renameSync(file, aside);
  try {
    if (readHolder(aside)?.token !== stale?.token) linkSync(aside, file);
  } finally {
    unlinkSync(aside);
  }
}

/** Exclusive use of a folder by one training. A process that is killed leaves a lock that the next one recognises as stale. */
export class RunLock {
  private constructor(
    private readonly file: string,
    private readonly token: string,
  ) {}

  /** Takes the lock of a folder. @throws if a process that still runs holds it, naming process and host */
  static take(folder: string): RunLock {
    const file = path.join(folder, 'run.lock');
    const token = randomBytes(8).toString('hex');
    const own = {
      pid: process.pid,
      host: os.hostname(),
      namespace: namespaceOf(),
      started: startOf(process.pid),
      token,
    };
    for (let tries = 0; ; tries++) {
      try {
        create(file, `${JSON.stringify(own)}\n`);
        return new RunLock(file, token);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      RunLock.clear(file, tries > 10);
    }
  }

  /** Whether a process that may still run holds the lock of a folder. */
  static isHeld(folder: string): boolean {
    const file = path.join(folder, 'run.lock');
    try {
      return !isStale(file, readHolder(file));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Removes the lock. A second call, or one after the lock was lost, does nothing. */
  release(): void {
    try {
      if (readHolder(this.file)?.token === this.token) unlinkSync(this.file);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  private static clear(file: string, often: boolean): void {
    try {
      const holder = readHolder(file);
      if (often || !isStale(file, holder)) throw busy(file, holder);
      removeStale(file, holder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error; // released meanwhile
    }
  }
}
