/** Benchmarks kernels at the network's shapes: verifies them against float64, times them in interleaved rounds and relates times to the roofline. */
import { precisionOf } from '../op_cases/bf16';
import { native, type Precision } from '../../core/native';
import { PLUGGABLE, UnsupportedError } from '../../core/plugins';
import type { OpCase } from '../op_cases/case';
import type { KernelCase } from './kernel_case';
import { openCounters, type Counts } from '../perf';
import { bestLimits, rooflineMs, measureWithLimits, measureLimits, type Limits } from '../roofline';
import { measureContention, QUIET_SHARE } from '../cpu_contention';
import { stemOf } from './ops';
import type { Sizes } from './stages';
import { edgeCases } from './edge_shapes';
import { dataOfRound, type CacheState, type Launch, type CaseData, type Timing } from './rounds';
import { median, ratio, spread, type Ratio, type Spread } from '../statistics';
import { CLOCKS, timeCase, type CaseBytes } from './time_case';
import { arraysOf, OURS, outputSize, runVariant, upstreamOf, type Results, type Variant } from './variant';
import { verify, verifyAgainst, type Errors } from './verify';

/** One direction of one variant of an op at a stage. */
export interface KernelRow extends Spread {
  op: string;
  stage: number;
  shape: string;
  /** Sizes that replaced those of the stage. */
  sizes?: Sizes;
  direction: 'forward' | 'backward';
  /** Element type of activations. */
  dtype: Precision;
  variant: string;
  flags: string;
  cache: CacheState;
  /** On a GPU: how kernels were launched. */
  launch?: Launch;
  /** Milliseconds of each round, from which median, q1 and q3 are computed. */
  ms: number[];
  /** On the CPU: CPU time of all threads in each round, in ms. */
  cpuMs?: number[];
  /** Medians of the hardware's counts of a run, with `--perf` where the system permits reading them. */
  counts?: Counts;
  /** The fraction of CPU time that other programs used during the measurement. */
  others: number;
  gflops: number;
  gbs: number;
  shareOfLimit: number;
  limit: 'FMA' | 'memory';
  limits: Limits;
  /** Relative error against float64; null if not verified. */
  error: number | null;
  /** Speedup over the first variant; null for the first variant. */
  speed: Ratio | null;
}

export interface KernelOptions {
  rounds: number;
  caches: readonly CacheState[];
  /** On a GPU: the launch modes to measure. */
  launches?: readonly Launch[];
  clock: keyof typeof CLOCKS;
  /** Read the counters of the hardware, where the system offers them. */
  perf?: boolean;
  /** Verify the outputs against float64. */
  check: boolean;
  /** Seed of the random inputs. */
  seed: number;
  /** Called before a variant is verified, timed or compared. `ours`: our own code computes now, not the variant. */
  onStep?: (variant: Variant, doing: string, ours?: boolean) => void;
  /** Called with a variant that is wrong or not to be believed; the others are still measured. Default: the problem is thrown. */
  onFailure?: (variant: Variant, problem: Error) => void;
}

const DIRECTIONS = ['forward', 'backward'] as const;

/** Multiply-adds per output element. */
export const termsOf = (c: KernelCase, outputs: number): number => Math.max(1, c.macs / outputs);

/** FLOPs of a direction, and the least bytes that it must move. */
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

/** A median time and the work done in it. */
interface Timed {
  ms: number;
  work: { flops: number; bytes: number };
  /** `Variant.beyondLimit` of the measured variant. */
  beyond?: boolean;
}

/**
 * The roofline limit that a time violates, or null. Allows 5%, because the limits are measurements too. With a warm cache only arithmetic
 * limits, because data may come from the cache.
 */
function limitBeaten({ ms, work, beyond }: Timed, limits: Limits, cache: CacheState) {
  const floor = rooflineMs(beyond ? 0 : work.flops, cache === 'warm' ? 0 : work.bytes, limits);
  return ms < 0.95 * floor.ms ? floor : null;
}

/** Rejects a time below the roofline: something was not computed or was cached. @throws if the time is too short */
export function rejectTooFast(
  what: string,
  time: Timed,
  { limits, cache, others = 0 }: { limits: Limits; cache: CacheState; others?: number },
): void {
  const { ms } = time;
  const floor = limitBeaten(time, limits, cache);
  if (!floor) return;
  const busy =
    others > QUIET_SHARE ? `; other programs used ${Math.round(100 * others)}% of the CPU time: measure again` : '';
  const limit = `the machine's limit (${floor.by}) of ${floor.ms.toFixed(3)} ms`;
  throw new Error(`${what}: ${ms.toFixed(3)} ms is less than ${limit}${busy}`);
}

type Direction = KernelRow['direction'];

/** The median time of each variant and direction. */
const timesOf = ({ c, variants, timings, bytes }: Measured) =>
  variants.flatMap((v, i) =>
    DIRECTIONS.filter((direction) => direction === 'forward' || v.backward).map((direction) => ({
      ...{ i, direction, ms: median(timings[i]![`${direction}Ms`]), work: workOf(c, direction, bytes) },
      beyond: v.beyondLimit ?? false,
    })),
  );

/** The median of each count. */
const medianCounts = (counts: readonly Counts[]): Counts => ({
  instructions: median(counts.map((one) => one.instructions)),
  cycles: median(counts.map((one) => one.cycles)),
  cacheMisses: median(counts.map((one) => one.cacheMisses)),
});

function rowOf(m: Measured, time: Timed & { i: number; direction: Direction }): KernelRow {
  const { i, direction, ms: middle, work } = time;
  const { c, variants, timings, limits, others, cache, launch } = m;
  const variant = variants[i]!;
  const key = `${direction}Ms` as const;
  const floor = rooflineMs(work.flops, work.bytes, limits);
  const errors = m.errors[i];
  const cpuMs = timings[i]![`${direction}CpuMs`];
  const counted = timings[i]![`${direction}Counts`];
  return {
    ...{
      op: c.op,
      stage: c.stage,
      shape: c.timed.name,
      ...(c.sizes ? { sizes: c.sizes } : {}),
      direction,
      dtype: precisionOf(c.timed),
    },
    ...{ variant: variant.name, flags: variant.flags, cache, ...(launch ? { launch } : {}) },
    ...{
      ms: timings[i]![key],
      ...(cpuMs.length > 0 ? { cpuMs } : {}),
      ...(counted.length > 0 ? { counts: medianCounts(counted) } : {}),
      ...spread(timings[i]![key]),
      others,
    },
    ...{ gflops: work.flops / middle / 1e6, gbs: work.bytes / middle / 1e6 },
    ...{ shareOfLimit: floor.ms / middle, limit: floor.by, limits },
    error: errors ? errors[direction === 'forward' ? 'forward' : 'gradient'] : null,
    speed: i === 0 ? null : ratio(timings[0]![key].slice(0, timings[i]![key].length), timings[i]![key]),
  };
}

const MAX_REMEASURES = 6;

/** Measures the limits again while a time violates them: other programs may have disturbed the first measurement. */
function remeasuredLimits(m: Measured): Limits {
  let { limits } = m;
  const times = timesOf(m);
  const beaten = () => times.some((time) => limitBeaten(time, limits, m.cache));
  for (let i = 0; i < MAX_REMEASURES && beaten(); i++)
    limits = bestLimits(limits, measureLimits(precisionOf(m.c.timed)));
  return limits;
}

/** Options of a verification. */
export type VerifyOptions = Pick<KernelOptions, 'seed' | 'onStep'>;

/** Wraps a case to announce when its float64 oracle computes: that time is ours, however slow the machine. */
function withAnnouncedOracle(c: OpCase, variant: Variant, { onStep }: VerifyOptions): OpCase {
  const oracle: OpCase['oracle'] = (inputs) => {
    onStep?.(variant, `computing the reference of ${c.name}`, true);
    try {
      return c.oracle(inputs);
    } finally {
      onStep?.(variant, `verifying ${c.name}`);
    }
  };
  return { ...c, oracle };
}

/** Verifies a plugin on small edge shapes. Shapes that the plugin reports as unsupported are skipped. */
function verifyEdgeShapes(c: KernelCase, variant: Variant, how: VerifyOptions): void {
  const op = PLUGGABLE.find((name) => name === stemOf(c));
  for (const small of op ? edgeCases(op, precisionOf(c.timed)) : []) {
    how.onStep?.(variant, `verifying ${small.name}`);
    try {
      verify(withAnnouncedOracle(small, variant, how), 1, variant, how.seed);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
    }
  }
}

/** Verifies a variant against float64; a plugin also on edge shapes, with guard pages that detect out-of-bounds access. */
export function verifyVariant(c: KernelCase, terms: number, variant: Variant, how: VerifyOptions): Errors {
  const shape = c.verified ?? (variant === OURS ? c.timed : (c.small ?? c.timed));
  native.memoryGuard(variant.foreign === true);
  try {
    if (variant.foreign) verifyEdgeShapes(c, variant, how);
    how.onStep?.(variant, `verifying ${shape.name}`);
    return verify(withAnnouncedOracle(shape, variant, how), terms, variant, how.seed);
  } finally {
    native.memoryGuard(false);
  }
}

/** Multiply-adds per element of the timed output. */
export const termsOfTimed = (c: KernelCase): number => termsOf(c, outputSize(c.timed, arraysOf(c.timed, 1)));

/** Wraps a variant to announce each run, so that a crash is attributed to the right variant. */
const announced = (variant: Variant, doing: string, onStep: KernelOptions['onStep']): Variant => ({
  ...variant,
  use: (body) => {
    onStep?.(variant, doing);
    const result = variant.use(body);
    onStep?.(variant, doing, true);
    return result;
  },
});

/** Compares the results of each variant's last timed round with ours on the same inputs. Returns the indices of those that agree. */
function compareTimed(
  c: KernelCase,
  data: CaseData,
  variants: readonly Variant[],
  timings: readonly Timing[],
  options: KernelOptions,
): number[] {
  const expected = new Map<number, Results>();
  return [...variants.keys()].filter((i) => {
    const variant = variants[i]!;
    const { round, results } = timings[i]!;
    const { arrays, upstream } = dataOfRound(c.timed, data, round);
    if (!expected.has(round)) expected.set(round, runVariant(c.timed, OURS, arrays, upstream));
    options.onStep?.(variant, 'comparing the timed output', true);
    const terms = termsOf(c, upstream.length);
    const compare = () =>
      verifyAgainst(c.timed, `${variant.name}, as timed`, results, expected.get(round)!, terms) ?? true;
    return attempt(variant, options, compare) !== null;
  });
}

/** Runs `body` for a variant; if it throws, reports the failure of the variant and returns null. */
function attempt<T>(variant: Variant, { onFailure }: KernelOptions, body: () => T): T | null {
  try {
    return body();
  } catch (error) {
    // A plugin that threw may have damaged memory: its process ends, and another measures the rest.
    if (!onFailure || variant.foreign) throw error;
    onFailure(variant, error as Error);
    return null;
  }
}

/** The rows of the times that the machine's limits allow; the others are failures of their variants. */
function believable(m: Measured, { onFailure }: KernelOptions): KernelRow[] {
  return timesOf(m).flatMap((time) => {
    const variant = m.variants[time.i]!;
    try {
      rejectTooFast(`${variant.name}: ${m.c.op} stage ${m.c.stage} ${time.direction}`, time, m);
      return [rowOf(m, time)];
    } catch (error) {
      if (!onFailure) throw error;
      onFailure(variant, error as Error);
      return [];
    }
  });
}

/**
 * Verifies each variant against float64, times all of them, and compares the timed outputs element by element with ours, so that the timed
 * work is the verified work.
 */
export function benchCase(c: KernelCase, all: readonly Variant[], options: KernelOptions): KernelRow[] {
  const { check, rounds, caches, seed, onStep } = options;
  const arrays = arraysOf(c.timed, seed);
  const outputs = outputSize(c.timed, arrays);
  const terms = termsOf(c, outputs);
  const data = { arrays, upstream: upstreamOf(c.timed, seed, outputs) };
  const verified = all.flatMap((variant): { variant: Variant; errors: Errors | null }[] => {
    if (!check) return [{ variant, errors: null }];
    const errors = attempt(variant, options, () => verifyVariant(c, terms, variant, options));
    return errors ? [{ variant, errors }] : [];
  });
  const variants = verified.map(({ variant }) => variant);
  const errors = verified.map((one) => one.errors);
  if (variants[0] !== all[0]) return []; // the outputs of the others are compared with those of the first
  const launches = options.launches ?? [undefined];
  const regimes = launches.flatMap((launch) => caches.map((cache) => ({ launch, cache })));
  return regimes.flatMap(({ launch, cache }) => {
    const how = launch === 'graph' ? 'recorded and timed' : 'timed';
    const timed = variants.map((v) => announced(v, `being ${how} with a ${cache} cache`, onStep));
    const opened = options.perf ? openCounters() : '';
    const counters = typeof opened === 'string' ? undefined : opened;
    const time = () =>
      timeCase(c.timed, timed, data, { rounds, clock: CLOCKS[options.clock], cache, launch, counters });
    const { result: around, others } = measureContention(() => measureWithLimits(time, precisionOf(c.timed)));
    const agreeing = compareTimed(c, data, variants, around.result.timings, options);
    const only = <T>(list: readonly T[]) => agreeing.map((i) => list[i]!);
    const { timings, bytes } = around.result;
    const shared = { c, bytes, limits: around.limits, others, cache, launch };
    const measured = { ...shared, variants: only(variants), timings: only(timings), errors: only(errors) };
    return believable({ ...measured, limits: remeasuredLimits(measured) }, options);
  });
}
