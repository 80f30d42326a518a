import { memory } from '../../core/runtime';
import type { Array64, OpCase } from '../op_cases/case';
import { bf16Tolerance } from '../op_cases/bf16';
import { relativeError, f32Tolerance, worstElement, type Tolerance } from '../op_cases/compare';
import { uniform } from '../op_cases/random';
import { mapInputs } from '../op_cases/tensors';
import { arraysOf, OURS, runVariant, upstreamOf, type Results, type Variant } from './variant';

/** Relative errors against float64: of the output (L2) and of the gradients. */
export interface Errors {
  forward: number;
  gradient: number;
}

const UNIT = 2 ** -24;

/**
 * The error bound of f32 sums of `terms` products. Rounding errors add up like a random walk: the error of a sum of K terms is about
 * 0.4 √K units of its size, so five times that admits every order of summation and little else.
 */
const sumErrorBound = (terms: number): number => Math.max(1e-6, 2 * UNIT * Math.sqrt(terms));

/** The tolerance of a case's output with `terms` multiply-adds per element. */
const allowedOutput = ({ tolerance, roundings }: OpCase, terms: number): Tolerance =>
  roundings ? bf16Tolerance(roundings.forward) : f32Tolerance(tolerance?.forward ?? sumErrorBound(terms));

/**
 * Returns the relative L2 error of `actual`.
 * @param addends the norm to which errors are relative if it exceeds that of `expected` (`OpCase.addends`)
 * @throws if the lengths differ, a value is NaN, or the L2 error or a single element exceeds the tolerance
 */
export function judge(
  what: string,
  actual: Float32Array,
  expected: ArrayLike<number>,
  allowed: Tolerance,
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

/** The oracle's sum(y * gy) as a function of a step of all inputs along their directions. */
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
 * Verifies all gradients at once: compares the derivative of the oracle along one random direction of all inputs, by central
 * differences, with the derivative that the gradients predict. Each input's direction is scaled so that its gradient contributes
 * about 1. A missing, zero or NaN gradient yields NaN or an error above any tolerance.
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
 * The tolerance of `gradientError`. In bf16 each gradient's error, projected on a random direction, is normally distributed: errors of n
 * inputs add up as sqrt(n), and the L2 tolerance, a worst case of rounding, is more than twice the average error.
 */
function allowedGradient({ tolerance, roundings }: OpCase, inputs: number): number {
  if (roundings) return 2 * Math.sqrt(inputs) * bf16Tolerance(roundings.gradient).l2;
  return Math.max(1e-4, tolerance?.gradient ?? 0);
}

/** The output with its last two dimensions swapped. */
function transposed(values: Float64Array, columns: number): Float32Array {
  const rows = values.length / columns;
  return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Proves that the comparison can fail: it must reject zeros, the output for other inputs and a transposed output. */
function checkComparisonRejects(expected: Array64, stale: Float32Array, allowed: Tolerance, addends = 0): void {
  const columns = expected.shape.at(-1)!;
  const wrong = { zeros: new Float32Array(stale.length), 'a stale output': stale } as Record<string, Float32Array>;
  // A single row or column equals its transpose.
  if (columns > 1 && columns < stale.length) wrong['a transposed output'] = transposed(expected.data, columns);
  for (const [what, values] of Object.entries(wrong)) {
    try {
      judge(what, values, expected.data, allowed, addends);
    } catch {
      continue;
    }
    throw new Error(`the comparison accepted ${what}: it cannot detect errors`);
  }
}

/** The result of `verify`: the errors, and the data and results that were verified. */
export interface Verified extends Errors {
  arrays: Arrays;
  results: Results;
}

/**
 * Verifies a variant's output and gradients against the float64 oracle on data of this seed. A variant without a backward has a gradient
 * error of 0.
 * @param terms multiply-adds per output element
 * @throws if one is wrong, memory leaks, or the comparison would accept a wrong output
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
  checkComparisonRejects(expected, stale, allowed, addends);
  const gradient = variant.backward && !c.jumps ? gradientError(c, arrays, results.grads, gy) : 0;
  const most = allowedGradient(c, Object.keys(results.grads).length);
  if (!(gradient <= most))
    throw new Error(`${variant.name}: gradients of ${c.name} are wrong: error ${gradient}, allowed ${most}`);
  if (memory().live !== live) throw new Error(`${c.name} leaks ${memory().live - live} bytes`);
  return { forward, gradient, arrays, results };
}

/** Doubles a tolerance for comparisons in which both sides have an error. */
const twice = ({ l2, worst }: Tolerance): Tolerance => ({ l2: 2 * l2, worst: 2 * worst });

/** Compares a variant's results element by element with verified ones on the same data. */
export function verifyAgainst(c: OpCase, name: string, actual: Results, expected: Results, terms: number): void {
  const { roundings } = c;
  const output = roundings ? bf16Tolerance(roundings.forward) : f32Tolerance(sumErrorBound(terms));
  judge(`${name}: the output of ${c.name}`, actual.y, expected.y, twice(output));
  // In f32 a weight's gradient sums over all rows.
  const gradient = roundings ? twice(bf16Tolerance(roundings.gradient)) : f32Tolerance(2e-5);
  for (const [input, grad] of Object.entries(actual.grads))
    judge(`${name}: the gradient of ${input} of ${c.name}`, grad, expected.grads[input]!, gradient);
}
