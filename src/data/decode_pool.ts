import { existsSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ClipSpec } from './clip_spec';

interface Answer {
  id: number;
  pixels?: Uint8Array;
  error?: string;
}

interface Waiting {
  resolve(pixels: Uint8Array): void;
  reject(error: Error): void;
}

// Beside this file once compiled; the tests run the sources, and use the compiled worker.
function workerFile(): string {
  const beside = path.join(__dirname, 'decode_worker.js');
  return existsSync(beside) ? beside : path.join(__dirname, '..', '..', 'dist', 'data', 'decode_worker.js');
}

/** Threads that decode videos. The threads do not keep the process alive while nothing is asked of them. */
export class DecodePool {
  private readonly workers: Worker[] = [];
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;

  constructor(private readonly size: number) {
    if (!Number.isInteger(size) || size < 1)
      throw new Error(`workers: expected a whole number of at least 1, got ${size}`);
  }

  /** The pixels [frames, crop, crop, 3] of a clip; rejects with one sentence when the file cannot be read. */
  clip(spec: ClipSpec): Promise<Uint8Array> {
    const id = this.next++;
    const worker = this.workers[id % this.size] ?? this.start();
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, spec });
    });
  }

  /** Ends the threads; what was still asked for is rejected. */
  async close(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.terminate()));
    this.failAll(new Error('the decoder was closed'));
  }

  private start(): Worker {
    const worker = new Worker(workerFile());
    worker.on('message', (answer: Answer) => this.settle(answer));
    worker.on('error', (error) => this.failAll(error));
    this.workers.push(worker);
    return worker;
  }

  private settle({ id, pixels, error }: Answer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (this.waiting.size === 0) for (const worker of this.workers) worker.unref();
    if (pixels) waiting?.resolve(pixels);
    else waiting?.reject(new Error(error));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
