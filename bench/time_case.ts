import { backward, noGrad } from '../src/autograd';
import { scope } from '../src/scope';
import { tensor, type Tensor } from '../src/tensor';
import type { OpCase } from '../test/cases/case';
import { makeInput, makeTensor, mapInputs } from '../test/support/case_tensors';
import { uniform } from '../test/support/random';

/** Milliseconds of each repetition, and bytes: of the inputs, of their gradients, and of the output. */
export interface Timing {
  forwardMs: number[];
  backwardMs: number[];
  bytes: { inputs: number; gradients: number; output: number };
}

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

interface Times {
  clock: Clock;
  forwardMs: number[];
  backwardMs: number[];
}

function timed(clock: Clock, times: number[], work: () => void): void {
  const start = clock();
  work();
  times.push(clock() - start);
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

function once(c: OpCase, inputs: Record<string, Tensor>, gy: Tensor, { clock, ...times }: Times): Float32Array {
  return scope(() => {
    timed(clock, times.forwardMs, () => noGrad(() => c.forward(inputs)));
    const y = c.forward(inputs);
    timed(clock, times.backwardMs, () => backward(y, gy));
    const values = y.floats();
    for (const t of Object.values(inputs)) t.grad?.dispose();
    for (const t of Object.values(inputs)) t.grad = null;
    return values;
  });
}

const bytesOf = (tensors: readonly Tensor[]) => tensors.reduce((sum, t) => sum + 4 * t.size, 0);

/** Times a case; forward and backward take turns. The last output timed must have the bits of the first. */
export function timeCase(c: OpCase, repetitions: number, clock: Clock = CLOCKS.wall): Timing {
  return scope(() => {
    const inputs = mapInputs(c, (input, _, i) => makeTensor(input, makeInput(input, i), true));
    const shape = scope(() => c.forward(inputs).shape);
    const gy = tensor(
      uniform(
        77,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
    );
    const times: Times = { clock, forwardMs: [], backwardMs: [] };
    const first = once(c, inputs, gy, { clock, forwardMs: [], backwardMs: [] });
    let last = first;
    for (let i = 0; i < repetitions; i++) last = once(c, inputs, gy, times);
    if (!sameBits(first, last)) throw new Error(`${c.name}: the output changed while it was timed`);
    const all = Object.values(inputs);
    const gradients = bytesOf(all.filter((t) => t.requiresGrad));
    const bytes = { inputs: bytesOf(all), gradients, output: bytesOf([gy]) };
    return { forwardMs: times.forwardMs, backwardMs: times.backwardMs, bytes };
  });
}
