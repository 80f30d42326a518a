import { backward, noGrad } from '../autograd';
import { native } from '../native';
import { scope } from '../scope';
import { tensor, type Tensor } from '../tensor';
import type { Array64, OpCase } from '../cases/case';
import { makeTensor, mapInputs } from '../cases/tensors';
import { takeGradients, type Results, type Variant } from './variant';

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

/** What the caches hold when the clock starts: what the last run left, or nothing of the inputs. */
export type CacheState = 'warm' | 'cold';

/** Milliseconds of each round, and what came out of the last one. */
export interface Timing {
  forwardMs: number[];
  backwardMs: number[];
  results: Results;
  /** The round that `results` are of: see `numbersOf`. */
  round: number;
}

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
  onRound?: (done: number, total: number) => void;
}

const COLD_FLOATS = 32 << 20; // 128 MB: more than any cache that shares a processor with us

/** Before each measurement, outside the clock: blocks to be reused get NaN, so that no output is right by staying; then the caches. */
function preparation(cache: CacheState): () => void {
  if (cache === 'warm') return () => native.memoryPoison();
  const [from, to] = [tensor(new Float32Array(COLD_FLOATS)), tensor(new Float32Array(COLD_FLOATS))];
  return () => {
    native.memoryPoison();
    native.kernels.accumulate_copy(COLD_FLOATS, from.handle, to.handle);
  };
}

function timed(clock: Clock, times: number[], work: () => void): void {
  const start = clock();
  work();
  times.push(clock() - start);
}

/** What a case is run on: its inputs and the upstream gradient. */
export interface Numbers {
  arrays: Record<string, Array64>;
  upstream: Float32Array;
}

/** The input that each round has other numbers of: the first that is random. Weights stay: a kernel may keep them in another form. */
function freshInput(c: OpCase): string {
  const found = Object.entries(c.inputs).find(([, { dtype, values }]) => dtype !== 'i32' && !values);
  if (!found) throw new Error(`${c.name} has no random input`);
  return found[0];
}

function turned<T extends Float32Array | Float64Array>(values: T, round: number): T {
  const cut = (((round * 4099) % values.length) + values.length) % values.length;
  const out = values.slice() as T;
  out.set(values.subarray(cut));
  out.set(values.subarray(0, cut), values.length - cut);
  return out;
}

/** The numbers of a round: the same ones from another start, so that nothing kept from an earlier round is right. */
export function numbersOf(c: OpCase, { arrays, upstream }: Numbers, round: number): Numbers {
  const name = freshInput(c);
  const { shape, data } = arrays[name]!;
  return {
    arrays: { ...arrays, [name]: { shape, data: turned(data, round) } },
    upstream: turned(upstream, round),
  };
}

interface Bench {
  c: OpCase;
  numbers: Numbers;
  inputs: Record<string, Tensor>;
  gy: Tensor;
  prepare: () => void;
  clock: Clock;
}

function refresh({ c, numbers, inputs, gy }: Bench, round: number): void {
  const name = freshInput(c);
  const { arrays, upstream } = numbersOf(c, numbers, round);
  inputs[name]!.copyFrom(Float32Array.from(arrays[name]!.data));
  gy.copyFrom(upstream);
}

function once(bench: Bench, variant: Variant, round: number, into: Timing): void {
  const { c, inputs, gy, prepare, clock } = bench;
  refresh(bench, round);
  into.round = round;
  scope(() =>
    variant.use(() => {
      prepare();
      timed(clock, into.forwardMs, () => noGrad(() => c.forward(inputs)));
      if (!variant.backward) {
        into.results = { y: noGrad(() => c.forward(inputs)).floats(), grads: {} };
        return;
      }
      const y = c.forward(inputs);
      prepare();
      timed(clock, into.backwardMs, () => backward(y, gy));
      into.results = { y: y.floats(), grads: takeGradients(c, inputs) };
    }),
  );
}

const bytesOf = (tensors: readonly Tensor[]) => tensors.reduce((sum, t) => sum + 4 * t.size, 0);

const newTiming = (): Timing => ({
  forwardMs: [],
  backwardMs: [],
  results: { y: new Float32Array(), grads: {} },
  round: 0,
});

const LONGEST_MS = 8_000; // of one variant's rounds, unless three take longer
const FEWEST = 3;

/** Two runs that do not count, one where a run takes long; then as many rounds as fit the time. */
function warmUp(bench: Bench, variant: Variant, rounds: number): number {
  const start = performance.now();
  let runs = 0;
  while (runs < 2 && performance.now() - start < LONGEST_MS / 8) once(bench, variant, -1 - runs++, newTiming());
  const fitting = Math.floor((LONGEST_MS * runs) / (performance.now() - start));
  return Math.min(rounds, Math.max(FEWEST, fitting));
}

/**
 * Times variants of one op by turns, forward and backward, on the same tensors with fresh numbers each round; runs before the first round
 * that counts. The numbers that come back with the times are those of the last round, to be verified by the caller.
 */
export function timeCase(
  c: OpCase,
  variants: readonly Variant[],
  numbers: Numbers,
  { rounds, clock = CLOCKS.wall, cache = 'warm', onRound }: TimeOptions,
): { timings: Timing[]; bytes: CaseBytes } {
  return scope(() => {
    const { arrays, upstream } = numbers;
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const shape = scope(() => noGrad(() => c.forward(inputs).shape));
    const bench = { c, numbers, inputs, gy: tensor(upstream, shape), prepare: preparation(cache), clock };
    const fitting = variants.map((variant) => warmUp(bench, variant, rounds));
    const timings = variants.map(newTiming);
    for (let round = 0; round < rounds; round++) {
      variants.forEach((variant, i) => {
        if (round < fitting[i]!) once(bench, variant, round, timings[i]!);
      });
      onRound?.(round + 1, rounds);
    }
    const all = Object.values(inputs);
    const gradients = bytesOf(all.filter((t) => t.requiresGrad));
    return { timings, bytes: { inputs: bytesOf(all), gradients, output: bytesOf([bench.gy]) } };
  });
}
