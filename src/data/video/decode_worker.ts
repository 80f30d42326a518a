/**
 * A thread that reads videos. On the main thread, reading FFmpeg's pipes would wait for kernels, and stall
 * FFmpeg: its pipe holds 64 KiB, a clip has megabytes. Jobs run sequentially.
 */
import { parentPort } from 'node:worker_threads';
import { readClips, readTogether, type ReadRequest, type ReadResult } from './video_clips';

/** Message from the main thread. */
export type ToWorker =
  { id: number; request: ReadRequest } | { cancel: number } | { close: true } | { slab: SharedArrayBuffer };

/** Answer: the result, or the message and code of an error. */
export type FromWorker = { id: number; result: ReadResult } | { id: number; error: string; code: string | null };

interface Job {
  id: number;
  request: ReadRequest;
  stop: AbortController;
}

/** The memory of the cache. */
const slabs: SharedArrayBuffer[] = [];
const queue: Job[] = [];
let current: Job[] = [];

/** Most jobs per run of FFmpeg: amortises its start, and limits the pictures to a few megabytes. */
const TOGETHER = 4;

function answer(message: FromWorker, moved: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, moved);
}

/** Bytes in a separate buffer, which can be transferred to another thread. */
const owned = (pixels: Uint8Array): Uint8Array =>
  pixels.length === pixels.buffer.byteLength ? pixels : new Uint8Array(pixels);

function give(id: number, result: ReadResult): void {
  const decoded = result.decoded.map((frames) => ({ ...frames, pixels: owned(frames.pixels) }));
  const moved = [...result.clips, ...decoded.map(({ pixels }) => pixels)];
  answer(
    { id, result: { ...result, decoded } },
    moved.map((pixels) => pixels.buffer as ArrayBuffer),
  );
}

async function perform({ id, request, stop }: Job): Promise<void> {
  try {
    give(id, await readClips(request, stop.signal));
  } catch (error) {
    const { message, code = null } = error as Error & { code?: string };
    answer({ id, error: message, code });
  }
}

/** Runs all jobs in one run of FFmpeg; runs them separately if that fails or one is cancelled. */
async function performAll(jobs: readonly Job[]): Promise<void> {
  const requests = jobs.map(({ request }) => request);
  const signal = AbortSignal.any(jobs.map(({ stop }) => stop.signal));
  const results = jobs.length > 1 ? await readTogether(requests, signal).catch(() => null) : null;
  if (results) return jobs.forEach(({ id }, i) => give(id, results[i]!));
  for (const job of jobs) await perform(job);
}

async function work(): Promise<void> {
  if (current.length > 0) return;
  while ((current = queue.splice(0, TOGETHER)).length > 0) await performAll(current);
}

function cancel(id: number): void {
  const at = queue.findIndex((job) => job.id === id);
  const [waiting] = at < 0 ? [] : queue.splice(at, 1);
  const job = waiting ?? current.find((one) => one.id === id);
  job?.stop.abort(new Error('the reading was cancelled'));
  if (waiting !== undefined) answer({ id, error: 'the reading was cancelled', code: null });
}

parentPort?.on('message', (message: ToWorker) => {
  if ('cancel' in message) cancel(message.cancel);
  else if ('close' in message) {
    for (const job of [...queue, ...current]) cancel(job.id);
    parentPort?.close(); // the thread ends by itself once the killed FFmpeg is gone
  } else if ('slab' in message) {
    slabs.push(message.slab);
  } else {
    queue.push({ id: message.id, request: { ...message.request, slabs }, stop: new AbortController() });
    void work();
  }
});
