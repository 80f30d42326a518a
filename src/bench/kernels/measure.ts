/** Kernels at the network's shapes: held to float64, timed by turns, set against the machine's limits. */
import { precisionOf } from '../op_cases/bf16';
import { native, type Precision } from '../../core/native';
import { PLUGGABLE, UnsupportedError } from '../../core/plugins';
import type { KernelCase } from './kernel_case';
import { better, floorMs, limitsAround, measureLimits, type Limits } from '../roofline';
import { besideOthers, QUIET } from '../cpu_contention';
import { stemOf } from './ops';
import { RAGGED } from './edge_shapes';
import { numbersOf, type CacheState, type Launch, type Numbers, type Timing } from './rounds';
import { median, ratio, spread, type Ratio, type Spread } from '../statistics';
import { CLOCKS, timeCase, type CaseBytes } from './time_case';
import { arraysOf, OURS, outputSize, runVariant, upstreamOf, type Results, type Variant } from './variant';
import { verify, verifyAgainst, type Errors } from './verify';

/** One direction of one variant of an op at a stage. */
export interface KernelRow extends Spread {
  op: string;
  stage: number;
  shape: string;
  direction: 'forward' | 'backward';
  /** Of the activations. */
  dtype: Precision;
  variant: string;
  flags: string;
  cache: CacheState;
  /** On a GPU: how the work got there. */
  launch?: Launch;
  /** Milliseconds of each round; median, q1 and q3 are of these. */
  ms: number[];
  /** On the CPU: the processor time of all threads in each round. */
  cpuMs?: number[];
  /** The share of the machine's processor time that others took while this was measured. */
  others: number;
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
  /** On a GPU: how the work gets there, each a regime of its own. */
  launches?: readonly Launch[];
  clock: keyof typeof CLOCKS;
  /** Hold the outputs to float64. */
  check: boolean;
  /** Of the random numbers. */
  seed: number;
  /** Called before a variant is held to float64, and before one is timed or compared. */
  onStep?: (variant: Variant, doing: string) => void;
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
  others: number;
  cache: CacheState;
  launch: Launch | undefined;
  errors: (Errors | null)[];
}

/** A median, and what was done in it. */
interface Timed {
  ms: number;
  work: { flops: number; bytes: number };
  /** Of a variant `beyondLimit`. */
  beyond?: boolean;
}

/**
 * The limit that a time is below, null where it is not. 5%, as the limits are measurements too. What a warm cache holds need not come from
 * memory, so there only arithmetic limits.
 */
function limitBeaten({ ms, work, beyond }: Timed, limits: Limits, cache: CacheState) {
  const floor = floorMs(beyond ? 0 : work.flops, cache === 'warm' ? 0 : work.bytes, limits);
  return ms < 0.95 * floor.ms ? floor : null;
}

/** A time below the machine's limit is wrong: something was not computed, or was there already. @throws where it is */
export function rejectTooFast(
  what: string,
  time: Timed,
  { limits, cache, others = 0 }: { limits: Limits; cache: CacheState; others?: number },
): void {
  const { ms } = time;
  const floor = limitBeaten(time, limits, cache);
  if (!floor) return;
  const busy = others > QUIET ? `; others took ${Math.round(100 * others)}% of the processors: measure again` : '';
  const limit = `the machine's limit (${floor.by}) of ${floor.ms.toFixed(3)} ms`;
  throw new Error(`${what}: ${ms.toFixed(3)} ms is less than ${limit}${busy}`);
}

type Direction = KernelRow['direction'];

/** All that was timed: the direction of each variant. */
const timesOf = ({ c, variants, timings, bytes }: Measured) =>
  variants.flatMap((v, i) =>
    DIRECTIONS.filter((direction) => direction === 'forward' || v.backward).map((direction) => ({
      ...{ i, direction, ms: median(timings[i]![`${direction}Ms`]), work: workOf(c, direction, bytes) },
      beyond: v.beyondLimit ?? false,
    })),
  );

function rowOf(m: Measured, time: Timed & { i: number; direction: Direction }): KernelRow {
  const { i, direction, ms: middle, work } = time;
  const { c, variants, timings, limits, others, cache, launch } = m;
  const variant = variants[i]!;
  const key = `${direction}Ms` as const;
  rejectTooFast(`${variant.name}: ${c.op} stage ${c.stage} ${direction}`, time, m);
  const floor = floorMs(work.flops, work.bytes, limits);
  const errors = m.errors[i];
  const cpuMs = timings[i]![`${direction}CpuMs`];
  return {
    ...{ op: c.op, stage: c.stage, shape: c.timed.name, direction, dtype: precisionOf(c.timed) },
    ...{ variant: variant.name, flags: variant.flags, cache, ...(launch ? { launch } : {}) },
    ...{ ms: timings[i]![key], ...(cpuMs.length > 0 ? { cpuMs } : {}), ...spread(timings[i]![key]), others },
    ...{ gflops: work.flops / middle / 1e6, gbs: work.bytes / middle / 1e6 },
    ...{ shareOfLimit: floor.ms / middle, limit: floor.by, limits },
    error: errors ? errors[direction === 'forward' ? 'forward' : 'gradient'] : null,
    speed: i === 0 ? null : ratio(timings[0]![key].slice(0, timings[i]![key].length), timings[i]![key]),
  };
}

const AGAIN = 6;

/** The limits, measured again while a time lies below them: that others disturbed their measurement is no fault of an op. */
function settled(m: Measured): Limits {
  let { limits } = m;
  const times = timesOf(m);
  const beaten = () => times.some((time) => limitBeaten(time, limits, m.cache));
  for (let i = 0; i < AGAIN && beaten(); i++) limits = better(limits, measureLimits(precisionOf(m.c.timed)));
  return limits;
}

/** What holding to float64 is told. */
export type Verifying = Pick<KernelOptions, 'seed' | 'onStep'>;

/** Holds a plugin to float64 on small shapes at the edges; those it says it is not made for count for nothing here. */
function verifyRagged(c: KernelCase, variant: Variant, { seed, onStep }: Verifying): void {
  const op = PLUGGABLE.find((name) => name === stemOf(c));
  for (const small of op ? RAGGED[op] : []) {
    onStep?.(variant, `verifying ${small.name}`);
    try {
      verify(small, 1, variant, seed);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
    }
  }
}

/** Holds a variant to float64 on the shape for that; a plugin also on ragged ones, and in memory that shows what it touches outside. */
export function verifyVariant(c: KernelCase, terms: number, variant: Variant, how: Verifying): Errors {
  const shape = c.verified ?? c.timed;
  native.memoryGuard(variant.foreign === true);
  try {
    if (variant.foreign) verifyRagged(c, variant, how);
    how.onStep?.(variant, `verifying ${shape.name}`);
    return verify(shape, terms, variant, how.seed);
  } finally {
    native.memoryGuard(false);
  }
}

/** Multiply-adds behind one element of the timed output. */
export const termsOfTimed = (c: KernelCase): number => termsOf(c, outputSize(c.timed, arraysOf(c.timed, 1)));

/** A variant that says when it runs: when a process ends in it, it is known which it was. */
const announced = (variant: Variant, doing: string, onStep: KernelOptions['onStep']): Variant => ({
  ...variant,
  use: (body) => {
    onStep?.(variant, doing);
    return variant.use(body);
  },
});

/** Holds what came out of the last timed round of each variant to what ours gives on the numbers of that round. */
function compareTimed(
  c: KernelCase,
  numbers: Numbers,
  variants: readonly Variant[],
  timings: readonly Timing[],
  { onStep }: KernelOptions,
): void {
  const expected = new Map<number, Results>();
  variants.forEach((variant, i) => {
    const { round, results } = timings[i]!;
    const { arrays, upstream } = numbersOf(c.timed, numbers, round);
    if (!expected.has(round)) expected.set(round, runVariant(c.timed, OURS, arrays, upstream));
    onStep?.(variant, 'comparing what was timed');
    const terms = termsOf(c, upstream.length);
    verifyAgainst(c.timed, `${variant.name}, as timed`, results, expected.get(round)!, terms);
  });
}

/**
 * Holds each variant to float64 on the shape for that, and again element by element to ours on the outputs that were timed: what is timed is
 * what was verified.
 */
export function benchCase(c: KernelCase, variants: readonly Variant[], options: KernelOptions): KernelRow[] {
  const { check, rounds, caches, seed, onStep } = options;
  const arrays = arraysOf(c.timed, seed);
  const outputs = outputSize(c.timed, arrays);
  const terms = termsOf(c, outputs);
  const numbers = { arrays, upstream: upstreamOf(c.timed, seed, outputs) };
  const errors = variants.map((variant) => (check ? verifyVariant(c, terms, variant, options) : null));
  const launches = options.launches ?? [undefined];
  const regimes = launches.flatMap((launch) => caches.map((cache) => ({ launch, cache })));
  return regimes.flatMap(({ launch, cache }) => {
    const how = launch === 'graph' ? 'recorded and timed' : 'timed';
    const timed = variants.map((v) => announced(v, `being ${how} with a ${cache} cache`, onStep));
    const time = () => timeCase(c.timed, timed, numbers, { rounds, clock: CLOCKS[options.clock], cache, launch });
    const { result: around, others } = besideOthers(() => limitsAround(time, precisionOf(c.timed)));
    compareTimed(c, numbers, variants, around.result.timings, options);
    const measured = { c, variants, ...around.result, limits: around.limits, others, cache, launch, errors };
    const rated = { ...measured, limits: settled(measured) };
    return timesOf(rated).map((one) => rowOf(rated, one));
  });
}
