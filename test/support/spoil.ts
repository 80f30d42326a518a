import type { Layer } from '../../src/core/dispatch';
import type { KernelArguments, KernelName } from '../../src/core/kernels';

/** A layer that runs `run` in place of one kernel; `original` runs the kernel itself. */
export function instead<K extends KernelName>(
  kernel: K,
  run: (args: KernelArguments[K], original: (args: KernelArguments[K]) => void) => void,
): Layer {
  return {
    over: (below) => ({
      launch(name, args) {
        if ((name as KernelName) !== kernel) return below.launch(name, args);
        run(args as unknown as KernelArguments[K], (other) => below.launch(kernel, other));
      },
    }),
  };
}
