/** Kernels at the network's shapes: held to float64, timed by turns, set against the machine's limits. */
import type { KernelCase } from './kernel_case';
import { floorMs, measureLimits, type Limits } from './limits';
import { median, ratio, spread, type Ratio, type Spread } from './statistics';
import { CLOCKS, timeCase, type CacheState, type CaseBytes, type Timing } from './time_case';
import { arraysOf, OURS, outputSize, runVariant, upstreamOf, type Variant } from './variant';
import { verify, verifyAgainst, type Errors } from './verify';

/** One direction of one variant of an op at a stage. */
export interface KernelRow extends Spread {
  op: string;
  stage: number;
  shape: string;
  direction: 'forward' | 'backward';
  dtype: 'f32';
  variant: string;
  flags: string;
  cache: CacheState;
  /** Milliseconds of each round; median, q1 and q3 are of these. */
  ms: number[];
  gflops: number;
  gbs: number;
  shareOfLimit: number;
  limit: 'FMA' | 'memory';
  limits: Limits;
  /** Relative error against float64; null where it was not verified. */
  error: number | null;
  /** How many times as fast as the first variant; null for that one. */
  speed: Ratio | null;
}

export interface KernelOptions {
  rounds: number;
  caches: readonly CacheState[];
  clock: keyof typeof CLOCKS;
  /** Hold the outputs to float64. */
  check: boolean;
  onStep?: (text: string) => void;
}

const DIRECTIONS = ['forward', 'backward'] as const;

/** Multiply-adds behind one element of the output. */
export const termsOf = (c: KernelCase, outputs: number): number => Math.max(1, c.macs / outputs);

/** What a direction computes, and the bytes it must at least move. */
function workOf(c: KernelCase, direction: KernelRow['direction'], { inputs, gradients, output }: CaseBytes) {
  if (direction === 'forward') return { flops: 2 * c.macs, bytes: inputs + output };
  const read = c.backwardReadsNothing ? 0 : inputs;
  return { flops: 2 * (c.backwardMacs ?? 2 * c.macs), bytes: read + output + gradients };
}

interface Measured {
  c: KernelCase;
  variants: readonly Variant[];
  timings: Timing[];
  bytes: CaseBytes;
  limits: Limits;
  cache: CacheState;
  errors: (Errors | null)[];
}

/**
 * A time below the machine's limit is wrong: something was not computed, or was there already. 5%, as the limits are measurements too. What a
 * warm cache holds need not come from memory, so there only arithmetic limits.
 */
export function rejectTooFast(
  what: string,
  ms: number,
  work: { flops: number; bytes: number },
  limits: Limits,
  cache: CacheState,
): void {
  const floor = floorMs(work.flops, cache === 'warm' ? 0 : work.bytes, limits);
  if (ms < 0.95 * floor.ms)
    throw new Error(
      `${what}: ${ms.toFixed(3)} ms is less than the machine's limit (${floor.by}) of ${floor.ms.toFixed(3)} ms`,
    );
}

function rowOf(m: Measured, i: number, direction: KernelRow['direction']): KernelRow {
  const { c, variants, timings, limits, cache } = m;
  const variant = variants[i]!;
  const key = `${direction}Ms` as const;
  const work = workOf(c, direction, m.bytes);
  const middle = median(timings[i]![key]);
  rejectTooFast(`${variant.name}: ${c.op} stage ${c.stage} ${direction}`, middle, work, limits, cache);
  const floor = floorMs(work.flops, work.bytes, limits);
  const errors = m.errors[i];
  return {
    ...{ op: c.op, stage: c.stage, shape: c.timed.name, direction, dtype: 'f32' },
    ...{ variant: variant.name, flags: variant.flags, cache, ms: timings[i]![key], ...spread(timings[i]![key]) },
    ...{ gflops: work.flops / middle / 1e6, gbs: work.bytes / middle / 1e6 },
    ...{ shareOfLimit: floor.ms / middle, limit: floor.by, limits },
    error: errors ? errors[direction === 'forward' ? 'forward' : 'gradient'] : null,
    speed: i === 0 ? null : ratio(timings[0]![key], timings[i]![key]),
  };
}

/** The limits measured before and after some work: the better of both. */
function limitsAround<T>(work: () => T): { result: T; limits: Limits } {
  const before = measureLimits();
  const result = work();
  const after = measureLimits();
  return {
    result,
    limits: { gflops: Math.max(before.gflops, after.gflops), gbs: Math.max(before.gbs, after.gbs) },
  };
}

/**
 * Holds each variant to float64 on the shape for that, and again element by element to ours on the outputs that were timed: what is timed is
 * what was verified.
 */
export function benchCase(c: KernelCase, variants: readonly Variant[], options: KernelOptions): KernelRow[] {
  const { check, rounds, caches, onStep } = options;
  const small = c.verified ?? c.timed;
  const arrays = arraysOf(c.timed, 1);
  const terms = termsOf(
    c,
    OURS.use(() => outputSize(c.timed, arrays)),
  );
  const errors = variants.map((variant) => {
    onStep?.(`verifying ${variant.name}`);
    return check ? verify(small, terms, variant) : null;
  });
  const upstream = upstreamOf(1, outputSize(c.timed, arrays));
  const expected = runVariant(c.timed, OURS, arrays, upstream);
  return caches.flatMap((cache) => {
    onStep?.(`timing ${variants.map((v) => v.name).join(' and ')}, ${cache} cache`);
    const time = () => timeCase(c.timed, variants, arrays, upstream, { rounds, clock: CLOCKS[options.clock], cache });
    const { result, limits } = limitsAround(time);
    variants.forEach((v, i) =>
      verifyAgainst(c.timed, `${v.name}, as timed`, result.timings[i]!.results, expected, terms),
    );
    const measured = { c, variants, ...result, limits, cache, errors };
    return variants.flatMap((v, i) =>
      DIRECTIONS.filter((d) => d === 'forward' || v.backward).map((d) => rowOf(measured, i, d)),
    );
  });
}
