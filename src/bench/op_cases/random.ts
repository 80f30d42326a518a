// Global lookups are slow in Jest's context, so inner loops of these files use local names.
const { imul } = Math;

/** Deterministic uniform numbers, independent of the library's generator (a 32-bit mixing function of a counter). */
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
