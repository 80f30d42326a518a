import { memory } from '../../core/runtime';
import type { Array64, OpCase } from '../op_cases/case';
import { allowedIn } from '../op_cases/bf16';
import { relativeError, within, worstElement, type Allowed } from '../op_cases/compare';
import { uniform } from '../op_cases/random';
import { mapInputs } from '../op_cases/tensors';
import { arraysOf, OURS, runVariant, upstreamOf, type Results, type Variant } from './variant';

/** Errors against float64: of the output (relative, L2), and of the gradients. */
export interface Errors {
  forward: number;
  gradient: number;
}

const UNIT = 2 ** -24;

/**
 * The largest relative error of sums of so many products in f32. Roundings add up like a random walk: the error of a sum of K terms is
 * about 0.4 √K units of its own size, so five times that is right for any order of adding and wrong for little else.
 */
export const allowedError = (terms: number): number => Math.max(1e-6, 2 * UNIT * Math.sqrt(terms));

/** What the output of a case may be off, with so many multiply-adds behind one element. */
const allowedOutput = ({ tolerance, roundings }: OpCase, terms: number): Allowed =>
  roundings ? allowedIn(roundings.forward) : within(tolerance?.forward ?? allowedError(terms));

/**
 * L2 error; throws on another length, a NaN, an L2 error above that allowed or a single element far off.
 * @param addends what errors are relative to, where it is more than the norm of `expected` (`OpCase.addends`)
 */
export function judge(
  what: string,
  actual: Float32Array,
  expected: ArrayLike<number>,
  allowed: Allowed,
  addends = 0,
): number {
  let error = NaN;
  try {
    error = relativeError(actual, expected, addends);
  } catch (problem) {
    throw new Error(`${what} is wrong: ${(problem as Error).message}`);
  }
  const worst = worstElement(actual, expected, addends / Math.sqrt(expected.length));
  if (error <= allowed.l2 && worst <= allowed.worst) return error;
  const figures = `relative error ${error.toExponential(1)}, worst element ${worst.toExponential(1)} of the largest`;
  throw new Error(`${what} is wrong: ${figures}; allowed ${allowed.l2.toExponential(1)}`);
}

const norm = (values: ArrayLike<number>) => Math.sqrt(dot(values, values));

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

type Arrays = Record<string, Array64>;

/** The oracle's sum(y * gy) with each input moved by `step` along its direction. */
function lossAt(c: OpCase, arrays: Arrays, along: Record<string, Float64Array>, gy: Float32Array) {
  return (step: number): number => {
    const moved = mapInputs(c, (_, name) => {
      const { shape, data } = arrays[name]!;
      const direction = along[name];
      return { shape, data: direction ? data.map((v, i) => v + step * direction[i]!) : data };
    });
    return dot(c.oracle(moved).data, gy);
  };
}

/**
 * Holds all gradients to float64 at once: the derivative of the oracle along one random direction of all inputs, by central
 * differences, against what the gradients say it is. Each input's direction is scaled so that its gradient counts for about 1.
 * A missing, zero or NaN gradient gives NaN or more than any tolerance.
 */
function gradientError(c: OpCase, arrays: Arrays, grads: Results['grads'], gy: Float32Array): number {
  const along = Object.fromEntries(
    Object.entries(grads).map(([name, grad], i) => {
      const scale = Math.sqrt(3) / norm(grad);
      return [name, Float64Array.from(uniform(900 + i, grad.length), (v) => v * scale)];
    }),
  );
  const largest = Math.max(...Object.values(along).map((v) => norm(v) / Math.sqrt(v.length)));
  const loss = lossAt(c, arrays, along, gy);
  const step = 1e-4 / largest;
  const expected = (loss(step) - loss(-step)) / (2 * step);
  const found = Object.entries(grads).reduce((sum, [name, grad]) => sum + dot(grad, along[name]!), 0);
  return Math.abs(found - expected);
}

/**
 * What `gradientError` may find. In bf16 each gradient has an error of its own, which along a random direction is a normally distributed
 * number of times as large: errors of n inputs add up as sqrt(n), and what is allowed in L2, the most that roundings are off, is more than
 * twice what they are off on average.
 */
function allowedGradient({ tolerance, roundings }: OpCase, inputs: number): number {
  if (roundings) return 2 * Math.sqrt(inputs) * allowedIn(roundings.gradient).l2;
  return Math.max(1e-4, tolerance?.gradient ?? 0);
}

/** The output as it would be read with its last two dimensions swapped. */
function transposed(values: Float64Array, columns: number): Float32Array {
  const rows = values.length / columns;
  return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Shows that the comparison can fail: zeros, the output for other inputs, and a transposed output must be refused. */
export function showRefusals(expected: Array64, stale: Float32Array, allowed: Allowed, addends = 0): void {
  const columns = expected.shape.at(-1)!;
  const wrong = { zeros: new Float32Array(stale.length), 'a stale output': stale } as Record<string, Float32Array>;
  // The transposition of one row or column is itself.
  if (columns > 1 && columns < stale.length) wrong['a transposed output'] = transposed(expected.data, columns);
  for (const [what, values] of Object.entries(wrong)) {
    try {
      judge(what, values, expected.data, allowed, addends);
    } catch {
      continue;
    }
    throw new Error(`the comparison let ${what} pass; it cannot be trusted`);
  }
}

/** What `verify` found: the errors, and the numbers that it held to float64. */
export interface Verified extends Errors {
  arrays: Arrays;
  results: Results;
}

/**
 * Holds a variant's output and gradients of a case to the float64 oracle, on numbers of this seed; throws when one is wrong, when memory is
 * left behind, or when the comparison would let a wrong output pass. A variant without a backward has a gradient error of 0.
 * @param terms multiply-adds behind one element of the output
 */
export function verify(c: OpCase, terms: number, variant: Variant = OURS, seed = 1): Verified {
  const { live } = memory();
  const arrays = arraysOf(c, seed);
  const expected = c.oracle(arrays);
  const gy = upstreamOf(c, seed, expected.data.length);
  const stale = runVariant(c, variant, arraysOf(c, seed + 1), gy).y;
  const results = runVariant(c, variant, arrays, gy);
  const allowed = allowedOutput(c, terms);
  const addends = c.addends?.(arrays);
  const forward = judge(`${variant.name}: the output of ${c.name}`, results.y, expected.data, allowed, addends);
  showRefusals(expected, stale, allowed, addends);
  const gradient = variant.backward ? gradientError(c, arrays, results.grads, gy) : 0;
  const most = allowedGradient(c, Object.keys(results.grads).length);
  if (!(gradient <= most))
    throw new Error(`${variant.name}: gradients of ${c.name} are wrong: error ${gradient}, allowed ${most}`);
  if (memory().live !== live) throw new Error(`${c.name} leaves ${memory().live - live} bytes behind`);
  return { forward, gradient, arrays, results };
}

/** Twice as much: both sides have an error. */
const twice = ({ l2, worst }: Allowed): Allowed => ({ l2: 2 * l2, worst: 2 * worst });

/** Holds a variant's results element by element to others on the same numbers, such as ours that are verified. */
export function verifyAgainst(c: OpCase, name: string, actual: Results, expected: Results, terms: number): void {
  const { roundings } = c;
  const output = roundings ? allowedIn(roundings.forward) : within(allowedError(terms));
  judge(`${name}: the output of ${c.name}`, actual.y, expected.y, twice(output));
  // In f32 sums over all rows stand behind a weight's gradient.
  const gradient = roundings ? twice(allowedIn(roundings.gradient)) : within(2e-5);
  for (const [input, grad] of Object.entries(actual.grads))
    judge(`${name}: the gradient of ${input} of ${c.name}`, grad, expected.grads[input]!, gradient);
}
