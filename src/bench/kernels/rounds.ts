/** What a round of a measurement has: numbers that no other round has, and what came out of it. */
import type { Array64, OpCase } from '../op_cases/case';
import { elementsOf } from '../op_cases/tensors';
import type { Tensor } from '../../core/tensor';
import type { Results } from './variant';

/** What the caches hold when the clock starts: what the last run left, or nothing of the inputs. */
export type CacheState = 'warm' | 'cold';

/** How work gets to a GPU: one launch after the other out of the program, or as a graph that was recorded once. */
export type Launch = 'launched' | 'graph';

/** Milliseconds of each round, and what came out of the last one. */
export interface Timing {
  forwardMs: number[];
  backwardMs: number[];
  /** On the CPU: the processor time of all threads in the same rounds. */
  forwardCpuMs: number[];
  backwardCpuMs: number[];
  results: Results;
  /** The round that `results` are of: see `numbersOf`. */
  round: number;
}

export const newTiming = (): Timing => ({
  forwardMs: [],
  backwardMs: [],
  forwardCpuMs: [],
  backwardCpuMs: [],
  results: { y: new Float32Array(), grads: {} },
  round: 0,
});

/** What a case is run on: its inputs and the upstream gradient. */
export interface Numbers {
  arrays: Record<string, Array64>;
  upstream: Float32Array;
}

/** A case with its numbers, and the tensors that hold those of a round. */
export interface Bench {
  c: OpCase;
  numbers: Numbers;
  inputs: Record<string, Tensor>;
  gy: Tensor;
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

/** Puts the numbers of a round into the tensors. */
export function refresh({ c, numbers, inputs, gy }: Bench, round: number): void {
  const name = freshInput(c);
  const { arrays, upstream } = numbersOf(c, numbers, round);
  const fill = (t: Tensor, values: ArrayLike<number>) => t.copyFrom(elementsOf(values, t.dtype));
  fill(inputs[name]!, arrays[name]!.data);
  fill(gy, upstream);
}
