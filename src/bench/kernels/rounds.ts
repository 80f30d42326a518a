/** Rounds of a measurement: each has its own input data and keeps its results. */
import type { Array64, OpCase } from '../op_cases/case';
import { elementsOf } from '../op_cases/tensors';
import type { Tensor } from '../../core/tensor';
import type { Counts } from '../perf';
import type { Results } from './variant';

/** The cache state when the clock starts: `warm` after the previous run, `cold` without any of the inputs. */
export type CacheState = 'warm' | 'cold';

/** GPU launch mode: kernel by kernel from the program, or replay of a recorded graph. */
export type Launch = 'launched' | 'graph';

/** Milliseconds of each round and the results of the last one. */
export interface Timing {
  forwardMs: number[];
  backwardMs: number[];
  /** On the CPU: CPU time of all threads in the same rounds. */
  forwardCpuMs: number[];
  backwardCpuMs: number[];
  /** Counts of the hardware in the same rounds, if they were asked for. */
  forwardCounts: Counts[];
  backwardCounts: Counts[];
  results: Results;
  /** The round of `results`; see `dataOfRound`. */
  round: number;
}

export const newTiming = (): Timing => ({
  forwardMs: [],
  backwardMs: [],
  forwardCpuMs: [],
  backwardCpuMs: [],
  forwardCounts: [],
  backwardCounts: [],
  results: { y: new Float32Array(), grads: {} },
  round: 0,
});

/** The input data of a case: its inputs and the upstream gradient. */
export interface CaseData {
  arrays: Record<string, Array64>;
  upstream: Float32Array;
}

/** A case with its data, and the tensors that hold the data of the current round. */
export interface Bench {
  c: OpCase;
  data: CaseData;
  inputs: Record<string, Tensor>;
  gy: Tensor;
}

/** The input that changes from round to round: the first random one. Weights stay, because kernels may cache a packed form. */
function freshInput(c: OpCase): string {
  const found = Object.entries(c.inputs).find(([, { dtype, values }]) => dtype !== 'i32' && !values);
  if (!found) throw new Error(`${c.name} has no random input`);
  return found[0];
}

function rotated<T extends Float32Array | Float64Array>(values: T, round: number): T {
  const cut = (((round * 4099) % values.length) + values.length) % values.length;
  const out = values.slice() as T;
  out.set(values.subarray(cut));
  out.set(values.subarray(0, cut), values.length - cut);
  return out;
}

/** The data of a round, rotated by a different offset each time, so that results cached from an earlier round are wrong. */
export function dataOfRound(c: OpCase, { arrays, upstream }: CaseData, round: number): CaseData {
  const name = freshInput(c);
  const { shape, data } = arrays[name]!;
  return {
    arrays: { ...arrays, [name]: { shape, data: rotated(data, round) } },
    upstream: rotated(upstream, round),
  };
}

/** Copies the data of a round into the tensors. */
export function refresh({ c, data, inputs, gy }: Bench, round: number): void {
  const name = freshInput(c);
  const { arrays, upstream } = dataOfRound(c, data, round);
  const fill = (t: Tensor, values: ArrayLike<number>) => t.copyFrom(elementsOf(values, t.dtype));
  fill(inputs[name]!, arrays[name]!.data);
  fill(gy, upstream);
}
