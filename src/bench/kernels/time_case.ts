import { backward, noGrad } from '../../core/autograd';
import { kernels } from '../../core/dispatch';
import { native } from '../../core/native';
import { scope } from '../../core/scope';
import { tensor, type Tensor } from '../../core/tensor';
import type { OpCase } from '../op_cases/case';
import { gradientFor, makeTensor, mapInputs } from '../op_cases/tensors';
import { newTiming, refresh, type Bench, type CacheState, type Launch, type Numbers, type Timing } from './rounds';
import { onGpu } from './time_gpu';
import { takeGradients, type Variant } from './variant';

/** What a repetition is timed by: milliseconds since some moment. */
export type Clock = () => number;

/** `wall` for results; `cpu`, the process's own time, for looking at a kernel on one thread while the machine is busy. */
export const CLOCKS = {
  wall: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  },
} satisfies Record<string, Clock>;

/** Bytes that an op must at least move: of the inputs, of their gradients, and of the output. */
export interface CaseBytes {
  inputs: number;
  gradients: number;
  output: number;
}

export interface TimeOptions {
  rounds: number;
  clock?: Clock;
  cache?: CacheState;
  /** Of work on a GPU, whose own timer is then the clock. */
  launch?: Launch | undefined;
  onRound?: (done: number, total: number) => void;
}

/** A variant that is ready: measures one round. */
type Once = (round: number, into: Timing) => void;

const COLD_FLOATS = 32 << 20; // 128 MB: more than any cache that shares a processor with us

/** Before each measurement, outside the clock: blocks to be reused get NaN, so that no output is right by staying; then the caches. */
function preparation(cache: CacheState): () => void {
  if (cache === 'warm') return () => native.memoryPoison();
  const [from, to] = [tensor(new Float32Array(COLD_FLOATS)), tensor(new Float32Array(COLD_FLOATS))];
  return () => {
    native.memoryPoison();
    kernels.accumulateCopy({ n: COLD_FLOATS, from, into: to });
  };
}

function timed(clock: Clock, into: Timing, direction: 'forward' | 'backward', work: () => void): void {
  const cpu = CLOCKS.cpu();
  const start = clock();
  work();
  into[`${direction}Ms`].push(clock() - start);
  into[`${direction}CpuMs`].push(CLOCKS.cpu() - cpu);
}

function onCpu(bench: Bench, variant: Variant, clock: Clock, prepare: () => void): Once {
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

const LONGEST_MS = 8_000; // of one variant's rounds, unless three take longer
const FEWEST = 3;

/** Two runs that do not count, one where a run takes long; then as many rounds as fit the time. */
function warmUp(once: Once, rounds: number): number {
  const start = performance.now();
  let runs = 0;
  while (runs < 2 && performance.now() - start < LONGEST_MS / 8) once(-1 - runs++, newTiming());
  const fitting = Math.floor((LONGEST_MS * runs) / (performance.now() - start));
  return Math.min(rounds, Math.max(FEWEST, fitting));
}

/** Each variant made ready where it runs; `release` gives back what recorded graphs hold. */
function makeReady(bench: Bench, variants: readonly Variant[], { clock = CLOCKS.wall, cache, launch }: TimeOptions) {
  if (launch) {
    const ready = variants.map((variant) => onGpu(bench, variant, cache ?? 'warm', launch));
    return { runs: ready.map(({ once }) => once), release: () => ready.forEach((one) => one.release()) };
  }
  const prepare = preparation(cache ?? 'warm');
  return { runs: variants.map((variant) => onCpu(bench, variant, clock, prepare)), release: () => undefined };
}

/** The rounds, in which the variants take turns; one that takes long has fewer. */
function takeTurns(runs: readonly Once[], { rounds, onRound }: TimeOptions): Timing[] {
  const fitting = runs.map((once) => warmUp(once, rounds));
  const timings = runs.map(newTiming);
  for (let round = 0; round < rounds; round++) {
    runs.forEach((once, i) => {
      if (round < fitting[i]!) once(round, timings[i]!);
    });
    onRound?.(round + 1, rounds);
  }
  return timings;
}

/**
 * Times variants of one op by turns, forward and backward, on the same tensors with fresh numbers each round; runs before the first round
 * that counts. The numbers that come back with the times are those of the last round, to be verified by the caller.
 */
export function timeCase(
  c: OpCase,
  variants: readonly Variant[],
  numbers: Numbers,
  options: TimeOptions,
): { timings: Timing[]; bytes: CaseBytes } {
  return scope(() => {
    const { arrays, upstream } = numbers;
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const { shape, dtype } = scope(() => noGrad(() => c.forward(inputs)));
    const bench = { c, numbers, inputs, gy: gradientFor({ shape, dtype }, upstream) };
    const { runs, release } = makeReady(bench, variants, options);
    try {
      const timings = takeTurns(runs, options);
      const all = Object.values(inputs);
      const gradients = bytesOf(all.filter((t) => t.requiresGrad));
      return { timings, bytes: { inputs: bytesOf(all), gradients, output: bytesOf([bench.gy]) } };
    } finally {
      release();
    }
  });
}
