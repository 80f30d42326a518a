/** How busy others keep the machine: beside a time that others disturbed, a reader must see that they did. */
import os from 'node:os';

/** The share that others may take of a machine that counts as quiet. */
export const QUIET = 0.1;

/** Milliseconds since some moment: of the clock, of all processors without work, and of this process on them. */
interface Moment {
  wall: number;
  idle: number;
  own: number;
}

function now(): Moment {
  const { user, system } = process.cpuUsage();
  const idle = os.cpus().reduce((sum, { times }) => sum + times.idle, 0);
  return { wall: performance.now(), idle, own: (user + system) / 1e3 };
}

/** The share of the time of all processors between two moments that was neither idle nor this process's own. */
export function othersBetween(before: Moment, after: Moment, processors: number): number {
  const all = processors * (after.wall - before.wall);
  const taken = all - (after.idle - before.idle) - (after.own - before.own);
  return all > 0 ? Math.min(1, Math.max(0, taken / all)) : 0;
}

/**
 * Does some work, and tells what others took of the machine meanwhile: other programs, the system, and on a virtual machine what its host
 * gave to other guests. The system counts in hundredths of a second: of work that takes less it says nothing.
 */
export function besideOthers<T>(work: () => T): { result: T; others: number } {
  const before = now();
  const result = work();
  return { result, others: othersBetween(before, now(), os.cpus().length) };
}
