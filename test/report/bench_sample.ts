/** Results files of benchmarks as text, with known figures. */
import { Philox } from '../../src/core/philox';
import { ratio, spread } from '../../src/bench/statistics';

const MACHINE = { device: 'cpu', cpu: 'Example CPU', cores: 2, threads: 2, kernels: 'avx512', node: 'v20' };
export const LIMITS = { gflops: 400, gbs: 20 };

/** Speeds relative to ours. */
export const VARIANTS = {
  morphmlp: 1,
  OpenBLAS: 0.7,
  oneDNN: 1.1,
  'my_kernel with a <b>long</b> name': 0.4,
  naive: 0.02,
};

/** [op, shape, direction, GFLOP, MB, ms of ours] */
const WORK: [string, string, string, number, number, number][] = [
  ['linear', '[1568, 392] -> 392', 'forward', 0.48, 5.5, 2],
  ['linear', '[1568, 392] -> 392', 'backward', 0.96, 8, 4],
  ['morph_fc width', '[1, 8, 14, 14, 392] width, L = 28, consecutive', 'forward', 0.48, 5.5, 2.5],
  ['norm_mlp', '[1, 1568, 392] through 1176', 'forward', 2.9, 8.6, 9],
  ['gelu', '[1, 8, 56, 56, 448]', 'forward', 0, 90, 6],
];

function noisy(random: Philox, middle: number, n = 15): number[] {
  return Array.from({ length: n }, () => middle * (0.95 + 0.1 * random.uniform()));
}

/** A file of bench kernels. @param slower factor on all times; @param variants their speeds relative to ours */
export function kernelResults(
  commit: string,
  { slower = 1, variants = VARIANTS as Record<string, number>, others = 0.02, day = 10, threads = 2 } = {},
): string {
  const random = new Philox(day);
  const rows = WORK.flatMap(([op, shape, direction, gflop, mb, time]) => {
    const ours = noisy(random, time * slower);
    return Object.entries(variants).map(([variant, speed]) => {
      const ms = variant === 'morphmlp' ? ours : noisy(random, (time * slower) / speed);
      const { median } = spread(ms);
      const [arithmetic, memory] = [(1e3 * gflop) / LIMITS.gflops, mb / LIMITS.gbs];
      return {
        ...{
          op,
          stage: 3,
          shape,
          direction,
          dtype: 'f32',
          variant,
          flags: `-O3 of ${variant}`,
          cache: 'warm',
          ms,
          others,
        },
        ...{ ...spread(ms), gflops: (1e3 * gflop) / median, gbs: mb / median, limits: LIMITS, error: 2e-7 },
        ...{ shareOfLimit: Math.max(arithmetic, memory) / median, limit: arithmetic > memory ? 'FMA' : 'memory' },
        speed: variant === 'morphmlp' ? null : ratio(ours, ms),
      };
    });
  });
  const machine = { ...MACHINE, threads, version: '0.1.0', commit, date: `2026-03-${day}T09:26:00Z` };
  return JSON.stringify({ machine, clock: 'wall', rows, failures: [] });
}

/** A file of bench models. */
export function modelResults(commit: string): string {
  const random = new Philox(4);
  const rows = ['video-s-16 forward 1', 'video-s-16 train 1'].flatMap((name, i) =>
    ['morphmlp', 'pytorch'].map((peer, p) => {
      const ms = noisy(random, 330 * (1 + 2 * i) * (1 + 1.4 * p), 7);
      const { median } = spread(ms);
      const rates = { gflops: 132e3 / median, shareOfPeak: 132e3 / median / 420, error: 3e-7, peakMb: 555 };
      return {
        case: name,
        peer,
        precision: 'f32',
        recompute: 0,
        medianMs: median,
        minMs: Math.min(...ms),
        ms,
        ...rates,
      };
    }),
  );
  return JSON.stringify({ machine: { ...MACHINE, version: '0.1.0', commit, date: '2026-03-14T09:26:00Z' }, rows });
}
