import { backward, noGrad } from '../../core/autograd';
import { kernels } from '../../core/dispatch';
import { native } from '../../core/native';
import { scope } from '../../core/scope';
import { tensor, type Tensor } from '../../core/tensor';
import { countsBetween, type ReadCounts } from '../perf';
import type { OpCase } from '../op_cases/case';
import { gradientFor, makeTensor, mapInputs } from '../op_cases/tensors';
import { newTiming, refresh, type Bench, type CacheState, type Launch, type CaseData, type Timing } from './rounds';
import { onGpu } from './time_gpu';
import { takeGradients, type Variant } from './variant';

/** A clock in milliseconds from an arbitrary origin. */
export type Clock = () => number;

/** `wall` for results; `cpu`, the CPU time of the process, for inspecting a kernel on one thread of a busy machine. */
export const CLOCKS = {
  wall: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  },
} satisfies Record<string, Clock>;

/** The least bytes that an op must move for its inputs, their gradients and its output. */
export interface CaseBytes {
  inputs: number;
  gradients: number;
  output: number;
}

export interface TimeOptions {
  rounds: number;
  clock?: Clock;
  cache?: CacheState;
  /** GPU launch mode; GPU work is timed by the GPU's own timer. */
  launch?: Launch | undefined;
  onRound?: (done: number, total: number) => void;
  /** On the CPU: reads the counters of the hardware around each run. */
  counters?: ReadCounts | undefined;
}

/** Measures one round of a prepared variant. */
type RunRound = (round: number, into: Timing) => void;

const COLD_FLOATS = 32 << 20; // 128 MB: larger than any last-level cache

/** Returns the untimed preparation of a measurement: fills free blocks with NaN, so that no stale output passes, and evicts the caches if cold. */
function cachePreparation(cache: CacheState): () => void {
  if (cache === 'warm') return () => native.memoryPoison();
  const [from, to] = [tensor(new Float32Array(COLD_FLOATS)), tensor(new Float32Array(COLD_FLOATS))];
  return () => {
    native.memoryPoison();
    kernels.accumulateCopy({ n: COLD_FLOATS, from, into: to });
  };
}

interface Clocks {
  clock: Clock;
  counters?: ReadCounts | undefined;
}

function timed({ clock, counters }: Clocks, into: Timing, direction: 'forward' | 'backward', work: () => void): void {
  const before = counters?.();
  const cpu = CLOCKS.cpu();
  const start = clock();
  work();
  into[`${direction}Ms`].push(clock() - start);
  into[`${direction}CpuMs`].push(CLOCKS.cpu() - cpu);
  if (before) into[`${direction}Counts`].push(countsBetween(before, counters!()));
}

function onCpu(bench: Bench, variant: Variant, clock: Clocks, prepare: () => void): RunRound {
  const { c, inputs, gy } = bench;
  const once = (into: Timing) => {
    prepare();
    timed(clock, into, 'forward', () => noGrad(() => c.forward(inputs)));
    if (!variant.backward) {
      into.results = { y: noGrad(() => c.forward(inputs)).floats(), grads: {} };
      return;
    }
    const y = c.forward(inputs);
    prepare();
    timed(clock, into, 'backward', () => backward(y, gy));
    into.results = { y: y.floats(), grads: takeGradients(c, inputs) };
  };
  return (round, into) => {
    refresh(bench, round);
    into.round = round;
    scope(() => variant.use(() => once(into)));
  };
}

const bytesOf = (tensors: readonly Tensor[]) =>
  tensors.reduce((sum, t) => sum + (t.dtype === 'bf16' ? 2 : 4) * t.size, 0);

const MAX_MS = 8_000; // for the rounds of one variant, unless MIN_ROUNDS take longer
const MIN_ROUNDS = 3;

/**
 * Makes two warm-up runs (one if runs are slow) and returns the number of rounds that fit into MAX_MS. The only run of a slow baseline counts
 * as its only round: `timing`.
 */
function warmUp(once: RunRound, rounds: number, { baseline }: Variant): { rounds: number; timing: Timing } {
  const start = performance.now();
  const isSlow = () => performance.now() - start > MAX_MS / 8;
  const timing = newTiming();
  let runs = 1;
  once(-1, timing);
  if (baseline && isSlow()) return { rounds: 0, timing };
  if (!isSlow()) once(-1 - runs++, newTiming());
  const fitting = Math.floor((MAX_MS * runs) / (performance.now() - start));
  return { rounds: Math.min(rounds, Math.max(MIN_ROUNDS, fitting)), timing: newTiming() };
}

/** Prepares each variant on the device; `release` frees recorded graphs. */
function prepareVariants(
  bench: Bench,
  variants: readonly Variant[],
  { clock = CLOCKS.wall, cache, launch, counters }: TimeOptions,
) {
  if (launch) {
    const ready = variants.map((variant) => onGpu(bench, variant, cache ?? 'warm', launch));
    return { runs: ready.map(({ once }) => once), release: () => ready.forEach((one) => one.release()) };
  }
  const prepare = cachePreparation(cache ?? 'warm');
  return {
    runs: variants.map((variant) => onCpu(bench, variant, { clock, counters }, prepare)),
    release: () => undefined,
  };
}

/** Runs the variants in interleaved rounds; a slow variant gets fewer rounds. */
function interleaveRounds(
  runs: readonly RunRound[],
  variants: readonly Variant[],
  { rounds, onRound }: TimeOptions,
): Timing[] {
  const warm = runs.map((once, i) => warmUp(once, rounds, variants[i]!));
  const timings = warm.map(({ timing }) => timing);
  for (let round = 0; round < rounds; round++) {
    runs.forEach((once, i) => {
      if (round < warm[i]!.rounds) once(round, timings[i]!);
    });
    onRound?.(round + 1, rounds);
  }
  return timings;
}

/**
 * Times variants of one op in interleaved rounds, forward and backward, on the same tensors with new data each round, after warm-up runs.
 * The results returned with the times are those of the last round; the caller verifies them.
 */
export function timeCase(
  c: OpCase,
  variants: readonly Variant[],
  data: CaseData,
  options: TimeOptions,
): { timings: Timing[]; bytes: CaseBytes } {
  return scope(() => {
    const { arrays, upstream } = data;
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const { shape, dtype } = scope(() => noGrad(() => c.forward(inputs)));
    const bench = { c, data, inputs, gy: gradientFor({ shape, dtype }, upstream) };
    const { runs, release } = prepareVariants(bench, variants, options);
    try {
      const timings = interleaveRounds(runs, variants, options);
      const all = Object.values(inputs);
      const gradients = bytesOf(all.filter((t) => t.requiresGrad));
      return { timings, bytes: { inputs: bytesOf(all), gradients, output: bytesOf([bench.gy]) } };
    } finally {
      release();
    }
  });
}
