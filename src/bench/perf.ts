/** Hardware counters of a measurement, where the system permits reading them (Linux perf_event_open). */
import { native } from '../core/native';

/** Counts of one run, of all threads in user space. */
export interface Counts {
  instructions: number;
  cycles: number;
  cacheMisses: number;
}

/** Reads the counters since they were opened. */
export type ReadCounts = () => Counts;

const HARDWARE = 0; // PERF_TYPE_HARDWARE
const EVENTS = [
  [HARDWARE, 1], // PERF_COUNT_HW_INSTRUCTIONS
  [HARDWARE, 0], // PERF_COUNT_HW_CPU_CYCLES
  [HARDWARE, 3], // PERF_COUNT_HW_CACHE_MISSES
] as const;

/** Opens the counters on all threads. Returns how to read them, or why the system offers none. */
export function openCounters(addon: Pick<typeof native, 'perfOpen' | 'perfRead'> = native): ReadCounts | string {
  const reason = addon.perfOpen(EVENTS);
  if (reason !== null) return reason;
  return () => {
    const [instructions, cycles, cacheMisses] = addon.perfRead() as [number, number, number];
    return { instructions, cycles, cacheMisses };
  };
}

/** The counts between two readings. */
export const countsBetween = (before: Counts, after: Counts): Counts => ({
  instructions: after.instructions - before.instructions,
  cycles: after.cycles - before.cycles,
  cacheMisses: after.cacheMisses - before.cacheMisses,
});
