/** Threads that read videos while the main thread computes. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './decode_worker';
import { FfmpegMissing } from './ffmpeg';
import { FrameCache } from './frame_cache';
import { sourceKey } from '../source';
import { UnreadableClip } from '../types';
import type { VideoInfo } from './info';
import type { ReadRequest, ReadResult } from './video_clips';

interface Waiting {
  key: string;
  resolve(result: ReadResult): void;
  reject(error: Error): void;
  /** Removes the listener of the caller's signal. */
  release(): void;
}

interface Thread {
  worker: Worker;
  waiting: Map<number, Waiting>;
  ended: Promise<void>;
}

/** Milliseconds that a closed thread may take to end its FFmpeg before it is terminated. */
const CLOSE_MS = 5000;

/** Starts decode_worker; the TypeScript source (tests, development) runs through tsx. */
function startWorker(): Worker {
  const isSource = __filename.endsWith('.ts');
  const file = path.join(__dirname, isSource ? 'decode_worker.ts' : 'decode_worker.js');
  return new Worker(file, isSource ? { execArgv: ['--require', 'tsx/cjs'] } : {});
}

function rebuild(message: string, code: string | null): Error {
  if (code === 'UNREADABLE_CLIP') return new UnreadableClip(message);
  return code === 'FFMPEG_MISSING' ? new FfmpegMissing(message) : new Error(message);
}

/**
 * A fixed number of threads, each with at most one FFmpeg at a time. They start when first needed, and idle threads do not keep
 * the process alive.
 */
export class DecodePool {
  private readonly threads: Thread[] = [];
  private readonly known = new Map<string, VideoInfo>();
  private next = 0;
  private closed = false;
  private readonly cache: FrameCache | null;
  /** Numbers of reads, and of reads that decoded a frame. */
  readonly counts = { reads: 0, decoded: 0 };

  /** @param cacheMemory limit of the cache of decoded frames, in bytes; 0 disables it */
  constructor(
    readonly size: number,
    cacheMemory = 0,
  ) {
    if (!Number.isInteger(size) || size < 1)
      throw new Error(`workers: expected a whole number of at least 1, got ${size}`);
    const share = (slab: SharedArrayBuffer): void => this.threads.forEach((thread) => this.send(thread, { slab }));
    this.cache = cacheMemory > 0 ? new FrameCache(cacheMemory, share) : null;
  }

  /** Limit and use of the cache, in bytes; null without a cache. */
  get cacheMemory(): { limit: number; held: number } | null {
    return this.cache && { limit: this.cache.limit, held: this.cache.held };
  }

  /** Reads clips on one of the threads (see `readClips`). Probes each file only once. */
  read(request: ReadRequest, signal?: AbortSignal): Promise<ReadResult> {
    if (this.closed) return Promise.reject(new Error('the decoder was closed'));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const id = this.next++;
    const thread = this.pick();
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.send(thread, { cancel: id });
        this.settle(thread, id)?.reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      const release = (): void => signal?.removeEventListener('abort', cancel);
      const key = sourceKey(request.source);
      thread.waiting.set(id, { key, resolve, reject, release });
      thread.worker.ref();
      const info = request.info ?? this.known.get(key);
      const kept = this.cache?.borrow(key) ?? [];
      const keep = this.cache ? (request.keep ?? { whole: 0 }) : undefined;
      this.send(thread, { id, request: { ...request, info, kept, keep } });
    });
  }

  /** Ends the threads and their FFmpeg processes; pending requests reject. May be called twice. */
  async close(): Promise<void> {
    this.closed = true;
    const threads = this.threads.splice(0);
    for (const thread of threads) {
      this.fail(thread, new Error('the decoder was closed'));
      this.send(thread, { close: true });
    }
    await Promise.all(threads.map(endOf));
  }

  /** The thread with the fewest jobs, or a new one if all started threads are busy. */
  private pick(): Thread {
    const least = this.threads.reduce<Thread | undefined>(
      (best, thread) => (best === undefined || thread.waiting.size < best.waiting.size ? thread : best),
      undefined,
    );
    if (least !== undefined && (least.waiting.size === 0 || this.threads.length === this.size)) return least;
    return this.start();
  }

  private start(): Thread {
    const worker = startWorker();
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const thread: Thread = { worker, waiting: new Map(), ended };
    worker.on('message', (message: FromWorker) => this.receive(thread, message));
    worker.on('error', (error) => this.drop(thread, `a decoding thread failed: ${error.message}`));
    worker.on('exit', () => this.drop(thread, 'a decoding thread ended early'));
    this.threads.push(thread);
    for (const slab of this.cache?.slabs ?? []) this.send(thread, { slab });
    return thread;
  }

  private send(thread: Thread, message: ToWorker): void {
    thread.worker.postMessage(message);
  }

  private receive(thread: Thread, message: FromWorker): void {
    const waiting = this.settle(thread, message.id);
    if (waiting === undefined) return;
    if ('error' in message) return waiting.reject(rebuild(message.error, message.code));
    const { result } = message;
    this.known.set(waiting.key, result.info);
    this.counts.reads++;
    if (result.decoded.length > 0) this.counts.decoded++;
    for (const frames of result.decoded) this.cache?.add(waiting.key, frames);
    waiting.resolve({ ...result, decoded: [] });
  }

  private settle(thread: Thread, id: number): Waiting | undefined {
    const waiting = thread.waiting.get(id);
    waiting?.release();
    if (waiting !== undefined) this.cache?.release(waiting.key);
    thread.waiting.delete(id);
    if (thread.waiting.size === 0) thread.worker.unref();
    return waiting;
  }

  private fail(thread: Thread, error: Error): void {
    for (const id of [...thread.waiting.keys()]) this.settle(thread, id)?.reject(error);
  }

  private drop(thread: Thread, message: string): void {
    const at = this.threads.indexOf(thread);
    if (at >= 0) this.threads.splice(at, 1);
    this.fail(thread, new Error(message));
  }
}

/** Waits for a closed thread; terminates it after a timeout. */
async function endOf({ worker, ended }: Thread): Promise<void> {
  worker.ref();
  const timer = setTimeout(() => void worker.terminate(), CLOSE_MS);
  await ended;
  clearTimeout(timer);
}
