const { abs, max, sqrt } = Math;

/** Relative L2 error of `actual` against `expected`; throws on a NaN or a wrong length first, so that neither can pass. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`expected ${expected.length} elements, got ${actual.length}`);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (!Number.isFinite(a)) throw new Error(`element ${i} is ${a}, expected ${e}`);
    if (!Number.isFinite(e)) throw new Error(`the reference is ${e} at element ${i}`);
    difference += (a - e) ** 2;
    norm += e ** 2;
  }
  return norm === 0 ? sqrt(difference) : sqrt(difference / norm);
}

/** The worst |actual - expected| in units of the largest |expected|: an elementwise bound that a small L2 error cannot hide. NaN where one is. */
export function worstElement(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 1e-30];
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    worst = max(worst, abs(a - e)); // NaN stays
    largest = max(largest, abs(e));
  }
  return worst / largest;
}
