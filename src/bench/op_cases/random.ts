// Looking up a global takes long in a test's context: local names for the inner loops, here and in the files beside.
const { imul } = Math;

/** Deterministic numbers for tests, independent of the library's own generator (a 32-bit mixing function of a counter). */
export function uniform(seed: number, n: number, scale = 1, offset = 0): Float32Array {
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    let h = (imul(i + 1, 0x9e3779b1) ^ imul(seed + 1, 0x85ebca6b)) >>> 0;
    h = imul(h ^ (h >>> 16), 0x7feb352d) >>> 0;
    h = imul(h ^ (h >>> 15), 0x846ca68b) >>> 0;
    out[i] = (((h ^ (h >>> 16)) >>> 8) / 2 ** 23 - 1) * scale + offset;
  }
  return out;
}
