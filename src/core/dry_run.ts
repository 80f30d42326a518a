import { withLayer, type Layer } from './dispatch';
import type { DType } from './native';
import type { Handle } from './operand';

const BYTES: Record<DType, number> = { f32: 4, i32: 4, bf16: 2, u8: 1 };

/** Block size that the native allocator would use for `bytes`: at most 1/128 larger. */
function blockBytes(bytes: number): number {
  let step = 64;
  while (step * 256 < bytes) step *= 2;
  return Math.max(64, Math.ceil(bytes / step) * step);
}

let running = false;

/** True inside `dryRun`: code that only fills memory with values may be skipped. */
export function isDryRun(): boolean {
  return running;
}

/** A layer whose buffers only have a length and whose kernels do nothing. */
function counting(): Layer {
  const held = new Map<object, number>();
  let [live, peak] = [0, 0];
  const change = (bytes: number) => {
    live += bytes;
    peak = Math.max(peak, live);
  };
  const over: Layer['over'] = () => ({
    launch: () => undefined,
    bufferNew(dtype, _device, length) {
      const handle = {} as Handle;
      held.set(handle, blockBytes(BYTES[dtype] * length));
      change(held.get(handle)!);
      return handle;
    },
    bufferFree(handle) {
      change(-(held.get(handle) ?? 0));
      held.delete(handle);
    },
    bufferVersion: () => 0,
    bufferWrite: () => undefined,
    bufferRead: () => undefined,
    pluginRun: () => undefined,
    memory: () => ({ live, cached: 0, peak, liveBlocks: held.size }),
    memoryResetPeak: () => void (peak = live),
  });
  return { over };
}

/**
 * Runs `body` without allocating tensors or launching kernels: tensors are only counted, and values read from them are zero.
 * Inside it `memory()` returns the bytes that a real run would use for tensors. `body` must not write tensors made outside;
 * tensors made inside must not be used afterwards.
 */
export function dryRun<T>(body: () => T): T {
  if (running) throw new Error('dryRun: one is under way');
  running = true;
  try {
    return withLayer(counting(), body);
  } finally {
    running = false;
  }
}
