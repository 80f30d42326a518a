const { abs, max, sqrt } = Math;

/** The most that numbers may be off: the relative L2 error, and a single element in units of the largest. */
export interface Allowed {
  l2: number;
  worst: number;
}

/** What f32 numbers of this relative L2 error may be off. */
export const within = (l2: number): Allowed => ({ l2, worst: 20 * l2 });

/**
 * Relative L2 error of `actual` against `expected`; throws on a NaN or a wrong length first, so that neither can pass.
 * @param least the norm that the error is relative to is at least this one: see `OpCase.addends`
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
 * The worst |actual - expected| in units of the largest |expected|: an elementwise bound that a small L2 error cannot hide. NaN where one is.
 * @param least the unit is at least this
 */
export function worstElement(actual: ArrayLike<number>, expected: ArrayLike<number>, least = 0): number {
  let [worst, largest] = [0, max(least, 1e-30)];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    worst = max(worst, abs(a - e)); // NaN stays
    largest = max(largest, abs(e));
  }
  return worst / largest;
}
