import { withLayer, type Layer } from './dispatch';
import type { DType } from './native';
import type { Handle } from './operand';

const BYTES: Record<DType, number> = { f32: 4, i32: 4, bf16: 2, u8: 1 };

/** The size of the block that holds so many bytes: at most a 128th above, as the native allocator has it. */
function blockBytes(bytes: number): number {
  let step = 64;
  while (step * 256 < bytes) step *= 2;
  return Math.max(64, Math.ceil(bytes / step) * step);
}

let running = false;

/** Whether a dry run is under way: what only fills memory with numbers may then be left out. */
export function isDryRun(): boolean {
  return running;
}

/** Buffers that are nothing but a length, and kernels that do nothing. */
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
 * Runs `body` without memory and without arithmetic: tensors made in it are only counted, kernels do nothing, and numbers read
 * from a tensor are zeros. `memory()` inside it says what a real run would hold in tensors. Tensors from outside must not be
 * written in it, those from inside must not be used after it.
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
