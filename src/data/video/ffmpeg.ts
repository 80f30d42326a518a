/** Runs the system's FFmpeg, and condenses its messages to one sentence. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { UnreadableClip } from '../types';
import { afterRunning, DecoderKilled, isCrash, STARTS } from './patience';

/** Message if no decoder is available. */
export const NO_DECODER =
  'videos need a decoder: npm install node-av, or install FFmpeg (Debian: apt-get install ffmpeg) and put it on the PATH or set MORPHMLP_FFMPEG';

export type Program = 'ffmpeg' | 'ffprobe';

/** FFmpeg is missing or does not start. No file is at fault, so the loader does not skip files for it. */
export class FfmpegMissing extends Error {
  readonly code = 'FFMPEG_MISSING';
}

/**
 * The program to start: MORPHMLP_FFMPEG (the path of ffmpeg, the folder of both programs, or a name without a folder for a
 * program on the PATH), else from the PATH.
 */
export function programPath(program: Program): string {
  const set = process.env.MORPHMLP_FFMPEG;
  if (set === undefined || set === '') return program;
  const base = path.basename(set);
  if (base === set && /^ffmpeg/.test(base)) return base.replace('ffmpeg', program);
  const isProgram = /^ffmpeg/.test(base);
  return isProgram ? path.join(path.dirname(set), base.replace('ffmpeg', program)) : path.join(set, program);
}

/** Whether ffmpeg and ffprobe are on the PATH. */
export function hasProgram(): boolean {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const found = (name: string): boolean => folders.some((folder) => existsSync(path.join(folder, name)));
  return found('ffmpeg') && found('ffprobe');
}

export interface RunOptions {
  /** Prefix of error messages: the file that is read or written. */
  subject: string;
  /** Timeout in milliseconds, after which the program is killed. Default 60,000. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Bytes for standard input. */
  input?: Uint8Array;
  /** Number of further output pipes: file descriptors 3, 4, … Default 0. */
  pipes?: number;
}

interface Outcome {
  stdout: Buffer;
  stderr: string;
  /** Output of each of the further pipes. */
  pipes: Buffer[];
}

const STDERR_KEPT = 16_384;
const running = new Set<ChildProcess>();

/** Number of running FFmpeg processes of this thread. */
export const runningPrograms = (): number => running.size;

/** Clearer texts for common messages of FFmpeg. The first match wins. */
const PLAIN: readonly (readonly [RegExp, string])[] = [
  [/not on whitelist|[Nn]ot whitelisted/, 'it is not a video: playlists and other lists of files are not read'],
  [/No such file or directory/, 'the file does not exist'],
  [/Permission denied/, 'the file may not be read (permission denied)'],
  [/Is a directory/, 'it is a folder, not a file'],
  [/moov atom not found/, 'it is empty, cut short or no video: its index (moov) is missing'],
  [/End of file/, 'it is empty, cut short or no video'],
  [/does not contain any stream|matches no streams|Output file is empty/, 'it has no video stream'],
  [
    /Decoder .* not found|Unknown decoder|Unsupported codec|Could not find codec parameters/,
    'its codec is not supported',
  ],
  [/corrupt decoded frame|error while decoding|Invalid NAL unit/, 'a part of it is damaged'],
  [
    /Invalid data found|EBML header parsing failed|Error opening input|Failed to read|misdetection possible/i,
    'it is not a video that FFmpeg can read',
  ],
];

/** One sentence from FFmpeg's messages, without file name and memory addresses. */
export function explain(stderr: string): string {
  const plain = PLAIN.find(([pattern]) => pattern.test(stderr));
  if (plain !== undefined) return plain[1];
  const lines = stderr.split('\n').map((line) => line.replace(/\[[^\]]* @ 0x[0-9a-f]+\]\s*/g, '').trim());
  const last = lines.filter((line) => line !== '').at(-1);
  return last === undefined ? 'FFmpeg failed without a message' : `FFmpeg says: ${last.slice(0, 200)}`;
}

function startError(program: Program, error: NodeJS.ErrnoException): Error {
  const set = process.env.MORPHMLP_FFMPEG;
  if (error.code !== 'ENOENT') return new FfmpegMissing(`${program} does not start: ${error.message}`);
  if (set) return new FfmpegMissing(`MORPHMLP_FFMPEG is ${set}, but ${programPath(program)} does not exist`);
  return new FfmpegMissing(`${program} is not on the PATH; ${NO_DECODER}`);
}

/** Collects a stream's data up to a limit, and discards the rest. */
function collect(stream: NodeJS.ReadableStream, limit = Infinity): Buffer[] {
  const parts: Buffer[] = [];
  let length = 0;
  stream.on('data', (part: Buffer) => {
    if (length < limit) parts.push(part);
    length += part.length;
  });
  return parts;
}

/** Writes the input. Ignores a broken pipe: a program that exits early reports the reason on stderr. */
function feed(child: ChildProcess, input: Uint8Array | undefined): void {
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
}

/** The program was killed from outside. */
class Killed extends Error {}

/**
 * Runs a program to its end and returns its output. Rejects with an `UnreadableClip` ("<subject>: <reason>") if it fails or
 * times out, with `FfmpegMissing` if it cannot be started, and with the signal's reason if that aborts; in each
 * case the process has ended before the promise settles. A program that is killed from outside is started again; the third time,
 * rejects with `DecoderKilled`.
 */
export async function runProgram(program: Program, args: readonly string[], options: RunOptions): Promise<Outcome> {
  for (let start = 1; ; start++) {
    try {
      return await runOnce(program, args, options);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      if (start === STARTS) throw new DecoderKilled(options.subject, error.message);
    }
  }
}

function runOnce(program: Program, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const { subject, timeoutMs = 60_000, signal, input, pipes = 0 } = options;
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const stdio = Array.from({ length: 3 + pipes }, () => 'pipe' as const);
  // A process group of its own: Ctrl-C in the terminal is for the training, which ends its decoders.
  const child = spawn(programPath(program), args, { stdio, env: process.env, detached: true });
  let stopped: Error | undefined;
  const stop = (why: Error): void => {
    stopped ??= why;
    child.kill('SIGKILL');
  };
  const onAbort = (): void => stop(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  const seconds = timeoutMs / 1000;
  const late = (): void => stop(new UnreadableClip(`${subject}: ${program} took over ${seconds} s`));
  const endWait = afterRunning(timeoutMs, late);
  const [out, err, ...further] = child.stdio
    .slice(1)
    .map((stream, i) => collect(stream as Readable, i === 1 ? STDERR_KEPT : Infinity));
  running.add(child);
  feed(child, input);
  return new Promise<Outcome>((resolve, reject) => {
    const end = (settle: () => void): void => {
      running.delete(child);
      endWait();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    child.on('error', (error) => end(() => reject(startError(program, error))));
    child.on('close', (code, killedBy) =>
      end(() => {
        const stderr = Buffer.concat(err!).toString();
        if (stopped !== undefined) return reject(stopped);
        if (code === 0)
          return resolve({ stdout: Buffer.concat(out!), stderr, pipes: further.map((parts) => Buffer.concat(parts)) });
        if (killedBy !== null && !isCrash(killedBy)) return reject(new Killed(`${program} was stopped by ${killedBy}`));
        const reason = killedBy === null ? explain(stderr) : `${program} was stopped by ${killedBy}`;
        reject(new UnreadableClip(`${subject}: ${reason}`));
      }),
    );
  });
}

/** FFmpeg's version line. Rejects with `FfmpegMissing` if FFmpeg or ffprobe cannot be started. */
export async function ffmpegVersion(): Promise<string> {
  await runProgram('ffprobe', ['-version'], { subject: 'ffprobe', timeoutMs: 10_000 });
  const { stdout } = await runProgram('ffmpeg', ['-version'], { subject: 'ffmpeg', timeoutMs: 10_000 });
  return stdout.toString().split('\n')[0]!.trim();
}
