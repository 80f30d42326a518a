/**
 * A thread that reads videos. Reading FFmpeg's pipes on the main thread would wait for the kernels that keep it busy, and
 * FFmpeg with it: its pipe holds 64 KiB, a clip has megabytes. Jobs are done one after the other.
 */
import { parentPort } from 'node:worker_threads';
import { readClips, type ReadRequest, type ReadResult } from './video_clips';

/** What the main thread says. */
export type ToWorker = { id: number; request: ReadRequest } | { cancel: number } | { close: true };

/** What comes back: the result, or the message and the code of an error. */
export type FromWorker = { id: number; result: ReadResult } | { id: number; error: string; code: string | null };

interface Job {
  id: number;
  request: ReadRequest;
  stop: AbortController;
}

const queue: Job[] = [];
let current: Job | undefined;

function answer(message: FromWorker, moved: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, moved);
}

async function perform({ id, request, stop }: Job): Promise<void> {
  try {
    const result = await readClips(request, stop.signal);
    answer(
      { id, result },
      result.clips.map((clip) => clip.buffer as ArrayBuffer),
    );
  } catch (error) {
    const { message, code = null } = error as Error & { code?: string };
    answer({ id, error: message, code });
  }
}

async function work(): Promise<void> {
  if (current !== undefined) return;
  while ((current = queue.shift()) !== undefined) await perform(current);
}

function cancel(id: number): void {
  const at = queue.findIndex((job) => job.id === id);
  const [waiting] = at < 0 ? [] : queue.splice(at, 1);
  const job = waiting ?? (current?.id === id ? current : undefined);
  job?.stop.abort(new Error('the reading was cancelled'));
  if (waiting !== undefined) answer({ id, error: 'the reading was cancelled', code: null });
}

parentPort?.on('message', (message: ToWorker) => {
  if ('cancel' in message) cancel(message.cancel);
  else if ('close' in message) {
    for (const job of [...queue, ...(current === undefined ? [] : [current])]) cancel(job.id);
    parentPort?.close(); // the thread ends by itself once the killed FFmpeg is gone
  } else {
    queue.push({ ...message, stop: new AbortController() });
    void work();
  }
});
