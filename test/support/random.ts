/** Deterministic numbers for tests, independent of the library's own generator (a 32-bit mixing function of a counter). */
export function uniform(seed: number, n: number, scale = 1, offset = 0): Float32Array {
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    let h = (Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0;
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0;
    out[i] = (((h ^ (h >>> 16)) >>> 8) / 2 ** 23 - 1) * scale + offset;
  }
  return out;
}
