/** Predicts the efficiency of a cluster from a step that was measured. */

/** When gradients are ready in the backward of a step's last slice. */
export interface Arrival {
  /** Milliseconds from the start of the backward. */
  ms: number;
  bytes: number;
}

/** A measured step of one rank. */
export interface MeasuredStep {
  /** Milliseconds of the whole step without any exchange. */
  stepMs: number;
  /** Milliseconds of the backward of its last slice, and of what follows it: norm and optimizer. */
  backwardMs: number;
  afterMs: number;
  arrivals: readonly Arrival[];
}

/** A network between ranks. */
export interface Network {
  ranks: number;
  /** Line rate of a rank, in gigabits per second. */
  gbps: number;
  /** Microseconds of a message. */
  latencyUs: number;
}

/** Share of the line rate that large messages reach. */
const REACHED = 0.85;
const BUCKET_BYTES = 25 * 2 ** 20;

/** Buckets of gradients in the order of the backward: bytes, and the time when the last of each is ready. */
function bucketsOf(arrivals: readonly Arrival[]): Arrival[] {
  const buckets: Arrival[] = [];
  let bytes = 0;
  for (const [i, arrival] of arrivals.entries()) {
    bytes += arrival.bytes;
    if (bytes < BUCKET_BYTES && i < arrivals.length - 1) continue;
    buckets.push({ ms: arrival.ms, bytes });
    bytes = 0;
  }
  return buckets;
}

/** Milliseconds of a sum over all ranks: each sends its shares to the others, then its part of the result. */
function sumMs(bytes: number, { ranks, gbps, latencyUs }: Network): number {
  const sent = (2 * bytes * (ranks - 1)) / ranks;
  return (8 * sent) / (gbps * REACHED * 1e6) + (2 * (ranks - 1) * latencyUs) / 1000;
}

/** Milliseconds of a step among several ranks, of which each does the work of the measured one. */
export function predictStep({ stepMs, backwardMs, afterMs, arrivals }: MeasuredStep, network: Network): number {
  const start = stepMs - afterMs - backwardMs;
  let free = start;
  for (const { ms, bytes } of bucketsOf(arrivals)) free = Math.max(free, start + ms) + sumMs(bytes, network);
  return Math.max(stepMs, free + afterMs);
}
