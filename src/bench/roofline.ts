import { kernels } from '../core/dispatch';
import { native, type Precision } from '../core/native';
import { fmaPeak } from '../core/runtime';
import { scope } from '../core/scope';
import { getDefaultDevice, tensor } from '../core/tensor';

/** Peak rates of the machine: multiply-adds from registers in GFLOP/s, memory copy in GB/s (read plus written). */
export interface Limits {
  gflops: number;
  gbs: number;
}

const FLOATS = 32 << 20; // 128 MB: far beyond every cache

/** The best of three copies of 128 MB. */
function copyBandwidth(): number {
  return scope(() => {
    const [from, to] = [tensor(new Float32Array(FLOATS)), tensor(new Float32Array(FLOATS))];
    const seconds = [0, 1, 2].map(() => {
      const start = performance.now();
      kernels.accumulateCopy({ n: FLOATS, from, into: to });
      return (performance.now() - start) / 1e3;
    });
    return (8 * FLOATS) / Math.min(...seconds) / 1e9;
  });
}

/** Measures both limits on the default device for multiply-adds of this type. Takes about a second on the CPU. */
export function measureLimits(precision: Precision = 'f32'): Limits {
  const device = getDefaultDevice();
  if (device === 'cuda') return { gflops: fmaPeak(0.05, device, precision), gbs: native.cudaCopyRate() };
  return { gflops: fmaPeak(0.5, device, precision), gbs: copyBandwidth() };
}

/** The maximum of two measurements of the limits: contention can only lower a measurement. */
export const bestLimits = (a: Limits, b: Limits): Limits => ({
  gflops: Math.max(a.gflops, b.gflops),
  gbs: Math.max(a.gbs, b.gbs),
});

/** Runs `work` and measures the limits before and after it, keeping the better ones. */
export function measureWithLimits<T>(work: () => T, precision: Precision = 'f32'): { result: T; limits: Limits } {
  const before = measureLimits(precision);
  const result = work();
  return { result, limits: bestLimits(before, measureLimits(precision)) };
}

/** The roofline time in ms, which both limits allow, and the limit that determines it. */
export function rooflineMs(
  flops: number,
  bytes: number,
  { gflops, gbs }: Limits,
): { ms: number; by: 'FMA' | 'memory' } {
  const [compute, memory] = [flops / gflops / 1e6, bytes / gbs / 1e6];
  return compute >= memory ? { ms: compute, by: 'FMA' } : { ms: memory, by: 'memory' };
}
