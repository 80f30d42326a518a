const { abs, exp, sign, sqrt, PI } = Math;

/** erf in float64 to about 1e-15: Taylor series near zero, otherwise a continued fraction for erfc. */
export function erf64(x: number): number {
  const a = abs(x);
  if (a < 2.5) {
    let [term, sum] = [a, a];
    for (let n = 1; abs(term) > 1e-18; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (sign(x) * 2 * sum) / sqrt(PI);
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return sign(x) * (1 - exp(-a * a) / sqrt(PI) / (a + fraction));
}
