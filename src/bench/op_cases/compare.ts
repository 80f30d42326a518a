const { abs, max, sqrt } = Math;

/** Error bounds: relative L2 error, and the largest elementwise error in units of the largest element. */
export interface Tolerance {
  l2: number;
  worst: number;
}

/** The tolerance of f32 values for a relative L2 error. */
export const f32Tolerance = (l2: number): Tolerance => ({ l2, worst: 20 * l2 });

/**
 * Relative L2 error of `actual` against `expected`.
 * @param least lower bound of the norm to which the error is relative; see `OpCase.addends`
 * @throws if the lengths differ or a value is not finite
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, least = 0): number {
  if (actual.length !== expected.length) throw new Error(`expected ${expected.length} elements, got ${actual.length}`);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (!Number.isFinite(a)) throw new Error(`element ${i} is ${a}, expected ${e}`);
    if (!Number.isFinite(e)) throw new Error(`the reference is ${e} at element ${i}`);
    difference += (a - e) ** 2;
    norm += e ** 2;
  }
  const size = max(sqrt(norm), least);
  return size === 0 ? sqrt(difference) : sqrt(difference) / size;
}

/**
 * The largest |actual - expected| in units of the largest |expected|, which a small L2 error can hide. NaN if a value is NaN.
 * @param least lower bound of the unit
 */
export function worstElement(actual: ArrayLike<number>, expected: ArrayLike<number>, least = 0): number {
  let [worst, largest] = [0, max(least, 1e-30)];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    worst = max(worst, abs(a - e)); // propagates NaN
    largest = max(largest, abs(e));
  }
  return worst / largest;
}
