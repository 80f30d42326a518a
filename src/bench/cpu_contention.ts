/** CPU contention: how much of the machine other programs used during a measurement. Reported with every time that they may have disturbed. */
import os from 'node:os';

/** The largest fraction of CPU time used by other programs at which a machine counts as quiet. */
export const QUIET_SHARE = 0.1;

/** Counters in milliseconds: the clock, the idle time of all processors and the CPU time of this process. */
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

/** The fraction of all processors' time between two moments that was neither idle nor used by this process. */
export function contentionBetween(before: Moment, after: Moment, processors: number): number {
  const all = processors * (after.wall - before.wall);
  const taken = all - (after.idle - before.idle) - (after.own - before.own);
  return all > 0 ? Math.min(1, Math.max(0, taken / all)) : 0;
}

/**
 * Runs `work` and returns its result with the fraction of CPU time used by others: other programs, the system and, on a virtual machine,
 * other guests. The system counts in hundredths of a second, so the fraction is meaningless for shorter work.
 */
export function measureContention<T>(work: () => T): { result: T; others: number } {
  const before = now();
  const result = work();
  return { result, others: contentionBetween(before, now(), os.cpus().length) };
}
