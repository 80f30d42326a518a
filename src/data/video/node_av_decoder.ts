/** Decodes with node-av in a child process. */
import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { readFileSync } from 'node:fs';
import type { Answer, Job } from './decode_process';
import type { Coding, Decoder, FrameRequest, Pixels, RawFrames, Recoding, Scan, VideoFile } from './decoder';
import { FfmpegMissing } from './ffmpeg';
import type { CallOptions } from './info';
import { UnreadableClip } from '../types';
import { afterRunning, DecoderKilled, isCrash, STARTS } from './patience';

interface Waiting {
  job: Job;
  /** Processes that were killed from outside while they ran the job. */
  killed: number;
  subject: string;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Starts decode_process; the TypeScript source (tests, development) runs through tsx. */
function startProcess(): ChildProcess {
  const isSource = __filename.endsWith('.ts');
  const file = path.join(__dirname, isSource ? 'decode_process.ts' : 'decode_process.js');
  const options: ForkOptions & { detached: boolean } = {
    detached: true, // a process group of its own: Ctrl-C in the terminal is for the training, which ends its decoders
    execArgv: isSource ? ['--require', createRequire(__filename).resolve('tsx/cjs')] : [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  };
  return fork(file, [], options);
}

function rebuild(message: string, code: string | null): Error {
  if (code === 'UNREADABLE_CLIP') return new UnreadableClip(message);
  if (code === 'ERR_MODULE_NOT_FOUND' || /Could not load the node-av/.test(message))
    return new FfmpegMissing(
      `node-av is installed but does not load: ${message.split('\n')[0]}; reinstall it, or set MORPHMLP_FFMPEG to an ffmpeg`,
    );
  return new Error(message);
}

/** See `Decoder`. Its process starts at the first call, and restarts after it was ended. */
export class NodeAvDecoder implements Decoder {
  readonly name = 'node-av';
  private child: ChildProcess | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;

  async version(): Promise<string> {
    const ffmpeg = (await this.call({ do: 'version' }, 'node-av', {})) as string;
    return `node-av ${packageVersion()} (FFmpeg ${ffmpeg})`;
  }

  scan(file: VideoFile, call: CallOptions): Promise<Scan> {
    return this.call({ do: 'scan', file }, file.path, call) as Promise<Scan>;
  }

  frameTimes(file: VideoFile, stream: number, call: CallOptions): Promise<Float64Array> {
    return this.call({ do: 'frameTimes', file, stream }, file.path, call) as Promise<Float64Array>;
  }

  async decode(requests: readonly FrameRequest[], call: CallOptions): Promise<Pixels[]> {
    const all = requests.map((request) => this.call({ do: 'decode', request }, request.path, call) as Promise<Pixels>);
    return Promise.all(all);
  }

  async encode(frames: RawFrames, file: string, coding: Coding, call: CallOptions): Promise<void> {
    await this.call({ do: 'encode', frames, file, coding }, file, call);
  }

  async recode(recoding: Recoding, call: CallOptions): Promise<void> {
    await this.call({ do: 'recode', recoding }, recoding.input.path, call);
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child === null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.kill();
    for (const id of [...this.waiting.keys()]) this.settle(id)?.reject(new Error('the decoder was closed'));
    await ended;
  }

  private call(job: Job, subject: string, { timeoutMs = 60_000, signal }: CallOptions): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const id = this.next++;
    const seconds = timeoutMs / 1000;
    const late = (): void => this.abandon(id, new UnreadableClip(`${subject}: decoding took over ${seconds} s`));
    const endWait = afterRunning(timeoutMs, late);
    const stop = (): void => this.abandon(id, signal!.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    const made = new Promise<unknown>((resolve, reject) => {
      this.waiting.set(id, { job, killed: 0, subject, resolve, reject });
      this.send(id, job);
    });
    return made.finally(() => {
      endWait();
      signal?.removeEventListener('abort', stop);
    });
  }

  private start(): ChildProcess {
    const child = startProcess();
    child.on('message', (answer: Answer) => this.receive(answer));
    child.on('error', (error) => this.lose(child, error.message, false));
    child.on('exit', (code, signal) =>
      this.lose(child, signal ? `stopped by ${signal}` : `exit status ${code}`, isCrash(signal)),
    );
    return child;
  }

  private receive(answer: Answer): void {
    const one = this.settle(answer.id);
    if ('error' in answer) one?.reject(rebuild(answer.error, answer.code));
    else one?.resolve(answer.result);
  }

  private settle(id: number): Waiting | undefined {
    const one = this.waiting.get(id);
    this.waiting.delete(id);
    if (this.waiting.size === 0) {
      this.child?.unref();
      this.child?.channel?.unref();
    }
    return one;
  }

  private send(id: number, job: Job): void {
    const child = (this.child ??= this.start());
    child.ref();
    child.channel?.ref();
    child.send({ id, job });
  }

  /** Ends the process. */
  private kill(): void {
    const { child } = this;
    this.child = null;
    child?.kill('SIGKILL');
  }

  /** Cancels a job that may be running: ends the process, and starts another for the queued jobs. */
  private abandon(id: number, why: Error): void {
    this.kill();
    this.settle(id)?.reject(why);
    for (const [other, { job }] of this.waiting) this.send(other, job);
  }

  /** Handles the end of the process. After a crash, the first job's file is at fault; otherwise the jobs are tried again. */
  private lose(child: ChildProcess, how: string, crash: boolean): void {
    if (child !== this.child) return;
    this.child = null;
    const [first] = this.waiting;
    if (first === undefined) return;
    const [id, one] = first;
    if (crash) this.settle(id)?.reject(new UnreadableClip(`${one.subject}: the decoding process ended on it (${how})`));
    else if (++one.killed === STARTS) this.settle(id)?.reject(new DecoderKilled(one.subject, how));
    for (const [other, { job }] of this.waiting) this.send(other, job);
  }
}

function packageVersion(): string {
  const entry = createRequire(__filename).resolve('node-av/lib');
  const file = path.join(entry.slice(0, entry.lastIndexOf(`${path.sep}dist${path.sep}`)), 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
