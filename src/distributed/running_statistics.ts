/** Running statistics of BatchNorm where a step has several slices: they are updated in the order of slices, on whichever rank. */
import { kernels, withLayer, type Layer } from '../core/dispatch';
import type { BatchNormForward, ConvNormForward } from '../core/kernels';
import { scope } from '../core/scope';
import { elements, emptyLike, tensor, type Tensor } from '../core/tensor';

type Norm = BatchNormForward | ConvNormForward;

/** Batch statistics of a layer as the kernel computes them, with momentum 1 from zero. */
type Visit = (momentum: number, pairs: readonly (readonly [running: Tensor, batch: Tensor])[]) => void;

/** Zeros like a finite tensor, made by kernels alone: a CUDA graph records no copies from the host. */
export function zerosLike(t: Tensor): Tensor {
  const made = emptyLike(t);
  kernels.accumulateCopy({ n: t.size, from: t, into: made });
  kernels.gradNormScale({ gradients: [made], factor: 0, factorOfStep: null });
  return made;
}

/** A layer that lets the kernels write batch statistics beside the running ones. */
function intercepting(visit: Visit): Layer {
  return {
    over: (below) => ({
      launch(kernel, args) {
        if ((kernel !== 'conv_norm_forward' && kernel !== 'batch_norm_forward') || !(args as Norm).training)
          return below.launch(kernel, args);
        const { momentum, runningMean, runningVar } = args as Norm;
        const running = [runningMean, runningVar] as Tensor[];
        scope(() => {
          const batch = running.map(zerosLike);
          below.launch(kernel, { ...args, momentum: 1, runningMean: batch[0]!, runningVar: batch[1]! });
          visit(
            momentum,
            running.map((t, i) => [t, batch[i]!]),
          );
        });
      },
    }),
  };
}

/** Moves tensors towards others by a share of the way. */
export const moveTowards = (into: readonly Tensor[], from: readonly Tensor[], momentum: number): void =>
  kernels.gradNormLerp({ weight: momentum, into, from });

/** Runs a forward whose running statistics are updated at once, with the bits that `RunningStatistics` gives. */
export function updatingStatistics<T>(forward: () => T): T {
  const update: Visit = (momentum, pairs) =>
    moveTowards(
      pairs.map(([running]) => running),
      pairs.map(([, batch]) => batch),
      momentum,
    );
  return withLayer(intercepting(update), forward);
}

/** Collects the batch statistics of slices, and updates the running ones from those of all ranks. */
export class RunningStatistics {
  private readonly offsets = new Map<Tensor, number>();
  /** Numbers of a slice: the momentum, then the statistics of all layers. */
  readonly length: number;

  /** @param buffers running statistics of the network */
  constructor(buffers: readonly Tensor[]) {
    let length = 1;
    for (const t of buffers) {
      this.offsets.set(t, length);
      length += elements(t.shape);
    }
    this.length = length;
  }

  /** Runs a forward that leaves the running statistics as they are, and writes those of the batch to `into` [length]. */
  collect<T>(into: Float64Array, forward: () => T): T {
    const keep: Visit = (momentum, pairs) => {
      into[0] = momentum;
      for (const [running, batch] of pairs) into.set(batch.floats(), this.offsets.get(running)!);
    };
    return withLayer(intercepting(keep), forward);
  }

  /** Moves the running statistics towards those of a slice. */
  apply(numbers: Float64Array): void {
    if (this.offsets.size === 0) return;
    scope(() => {
      const into = [...this.offsets.keys()];
      const from = into.map((t) => {
        const first = this.offsets.get(t)!;
        return tensor(Float32Array.from(numbers.subarray(first, first + t.size)), t.shape, { device: t.device });
      });
      moveTowards(into, from, numbers[0]!);
    });
  }
}
