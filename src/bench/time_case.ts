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

interface Bench {
  c: OpCase;
  inputs: Record<string, Tensor>;
  gy: Tensor;
  prepare: () => void;
  clock: Clock;
}

function once({ c, inputs, gy, prepare, clock }: Bench, variant: Variant, into: Timing): void {
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

const newTiming = (): Timing => ({ forwardMs: [], backwardMs: [], results: { y: new Float32Array(), grads: {} } });

/**
 * Times variants of one op by turns, forward and backward, on the same tensors; two rounds before the first one that counts. The numbers
 * that come back with the times are those of the last round, to be verified by the caller.
 */
export function timeCase(
  c: OpCase,
  variants: readonly Variant[],
  arrays: Record<string, Array64>,
  upstream: Float32Array,
  { rounds, clock = CLOCKS.wall, cache = 'warm', onRound }: TimeOptions,
): { timings: Timing[]; bytes: CaseBytes } {
  return scope(() => {
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const shape = scope(() => noGrad(() => c.forward(inputs).shape));
    const bench = { c, inputs, gy: tensor(upstream, shape), prepare: preparation(cache), clock };
    for (const variant of variants) for (let i = 0; i < 2; i++) once(bench, variant, newTiming());
    const timings = variants.map(newTiming);
    for (let round = 0; round < rounds; round++) {
      variants.forEach((variant, i) => {
        if (round < (variant.rounds ?? rounds)) once(bench, variant, timings[i]!);
      });
      onRound?.(round + 1, rounds);
    }
    const all = Object.values(inputs);
    const gradients = bytesOf(all.filter((t) => t.requiresGrad));
    return { timings, bytes: { inputs: bytesOf(all), gradients, output: bytesOf([bench.gy]) } };
  });
}
