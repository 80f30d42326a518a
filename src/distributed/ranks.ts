/** The ranks of a training: processes that compute parts of the same steps. */
import { writeSync } from 'node:fs';
import { native } from '../core/native';
import type { Tensor } from '../core/tensor';
import type { LinkKind } from './launch';
import type { Seat } from './processors';
import { SharedError, type Session } from './session';

export { SharedError } from './session';

/** Exit status of a job of which a rank did not arrive in time. */
export const LATE_STATUS = 75;

/** A gradient sum under way. */
export type SumJob = number;

/** Sums of a rank's slices, as `GradientSum` makes them. */
export interface SumParts {
  slices: number;
  nodes: readonly (readonly (Tensor | null)[])[];
  sums: readonly Tensor[];
  /** Plain all-reduce: the bits depend on the number of ranks. */
  fast: boolean;
}

/**
 * A process among `size`, connected by MPI or TCP; alone with `size` 1. All methods that exchange something must be called by every rank in
 * the same order. They block. Where a rank does not arrive in time they name it and end the job.
 */
export class Ranks implements Session {
  /** Milliseconds that this process has waited for others. */
  waited = 0;
  private closed = false;
  private nccl = '';

  /** @param seats of all ranks @param library what connects them @param timeout seconds, for messages */
  constructor(
    readonly rank: number,
    readonly seats: readonly Seat[],
    private readonly library: string,
    private readonly timeout: number,
    readonly kind: LinkKind = 'mpi',
  ) {}

  get size(): number {
    return this.seats.length;
  }

  /** Whether this rank prints, writes files and reads checkpoints. */
  get isMain(): boolean {
    return this.rank === 0;
  }

  get label(): string {
    return this.name(this.rank);
  }

  /** `rank 3 on host b`. */
  name(rank: number): string {
    return `rank ${rank} on ${this.seats[rank]?.host ?? 'an unknown host'}`;
  }

  /** The values of all ranks, in their order; each gives as many. */
  gather(values: Float64Array): Float64Array[] {
    if (this.size === 1) return [values];
    const all = new Float64Array(values.length * this.size);
    this.await(() => native.commGather(values, all, this.size));
    return this.seats.map((_, rank) => all.subarray(rank * values.length, (rank + 1) * values.length));
  }

  /** The bytes of all ranks, in their order; each gives as many as it likes. */
  gatherBytes(bytes: Uint8Array): Uint8Array[] {
    const lengths = this.gather(Float64Array.of(bytes.length)).map(([length]) => length!);
    const most = Math.max(...lengths);
    if (this.size === 1 || most === 0) return lengths.map(() => bytes);
    const [own, all] = [new Uint8Array(most), new Uint8Array(most * this.size)];
    own.set(bytes);
    this.await(() => native.commGather(own, all, this.size));
    return lengths.map((length, rank) => all.subarray(rank * most, rank * most + length));
  }

  /** The values of all ranks, in their order. They must survive JSON. */
  gatherJson<T>(value: T): T[] {
    if (this.size === 1) return [value];
    return this.gatherBytes(Buffer.from(JSON.stringify(value))).map(
      (text) => JSON.parse(Buffer.from(text).toString()) as T,
    );
  }

  /** Overwrites the bytes of all ranks by those of one. They have equally many. */
  broadcast(bytes: ArrayBufferView, root = 0): void {
    if (this.size > 1 && bytes.byteLength > 0) this.await(() => native.commBroadcast(bytes, root));
  }

  /** The value of rank `root`; that of others is ignored. It must survive JSON. */
  broadcastJson<T>(value: T, root = 0): T {
    if (this.size === 1) return value;
    const text = Buffer.from(this.rank === root ? JSON.stringify(value) : '');
    const length = Float64Array.of(text.length);
    this.broadcast(length, root);
    const bytes = this.rank === root ? text : Buffer.alloc(length[0]!);
    this.broadcast(bytes, root);
    return JSON.parse(bytes.toString()) as T;
  }

  /** Runs `body`, which must not exchange anything, on every rank. @throws SharedError on all of them if it throws on one */
  agree<T>(body: () => T): T {
    if (this.size === 1) return body();
    let [result, problem] = [undefined as T, ''];
    try {
      result = body();
    } catch (error) {
      problem = (error as Error).message || String(error);
    }
    this.throwShared(problem);
    return result;
  }

  /** @throws SharedError on every rank if one of them has a problem, with all of them */
  throwShared(problem: string): void {
    const problems = this.gatherJson(problem);
    const different = new Set(problems);
    if (different.size === 1 && problem === '') return;
    if (different.size === 1) throw new SharedError(problem);
    const told = problems.flatMap((text, rank) => (text === '' ? [] : [`${this.name(rank)}: ${text}`]));
    throw new SharedError(told.join('\n'));
  }

  /** Sums tensors on the GPU by NCCL from here on. */
  useNccl({ library, version }: { library: string; version: string }): void {
    this.await(() => native.commUseNccl(library));
    this.nccl = version;
  }

  /** What connects the ranks: libraries and their versions. */
  get connection(): string {
    return this.nccl === '' ? this.library : `${this.library}, ${this.nccl}`;
  }

  /** Starts a sum over all ranks. The tensors must not be touched before `finishSums`. */
  startSum({ slices, nodes, sums, fast }: SumParts): SumJob {
    const handles = nodes.map((node) => node.map((t) => t && t.handle));
    return native.commReduce(
      slices,
      handles,
      sums.map(({ handle }) => handle),
      fast,
    );
  }

  /** Waits for a sum and all before it. */
  finishSums(last: SumJob): void {
    this.await(() => native.commWait(last));
  }

  /** Disconnects, when all ranks have come this far. */
  close(): void {
    this.closed = true;
    if (this.size === 1 || native.commFinalize()) return;
    process.stderr.write(
      `warning: ${this.name(this.rank)}: all ranks have finished, but ${this.library} does not disconnect: leaving it after 20 s\n`,
    );
    process.on('exit', (code) => native.commAbort(code)); // past the library's own handlers, which would wait for it
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Ends all ranks with this exit status. */
  abort(status: number): void {
    if (this.size > 1) native.commAbort(status);
  }

  private await(exchange: () => number[]): void {
    const since = performance.now();
    const late = exchange();
    this.waited += performance.now() - since;
    if (late.length > 0) this.endFor(late);
  }

  /**
   * Ends the job at once, so that no clean-up stands in the way. The main rank knows who is late, or that all have begun the exchange
   * (-1); others blame it only if it has not spoken for as long again.
   */
  private endFor(late: readonly number[]): void {
    const begun = late[0] === -1;
    const others =
      this.size > 5
        ? 'other ranks'
        : this.seats.flatMap((_, rank) => (rank === this.rank ? [] : this.name(rank))).join(', ');
    const who = begun
      ? `the data of ${others}, though all have begun to send`
      : late.map((rank) => this.name(rank)).join(', ');
    const remedy = begun ? 'look at the network between them' : 'look for its own message';
    const advice = `${remedy}, or give a larger --rank-timeout if a step may take that long`;
    writeSync(
      2,
      `morphmlp: ${this.label} waited ${this.timeout * (this.isMain ? 1 : 2)} s in vain for ${who}; ${advice}\n`,
    );
    this.abort(LATE_STATUS);
  }
}

/** A process on its own. */
export const ALONE = new Ranks(0, [{ host: 'localhost', processors: [0], total: 1 }], '', 0);
