/** BatchNorm over all slices of a step, of which each rank computes one at the same time. */
import { kernels, withLayer, type Backend, type Layer } from '../core/dispatch';
import type { BatchNormBackward, BatchNormForward, ConvNormForward } from '../core/kernels';
import { scope } from '../core/scope';
import { emptyLike, tensor, type Tensor } from '../core/tensor';
import type { Ranks } from './ranks';
import { moveTowards, zerosLike } from './running_statistics';
import type { Slices } from './gradient_sum';

/** Statistics of channels over `count` values of each; variances are biased. */
export interface Statistics {
  count: number;
  mean: Float64Array;
  variance: Float64Array;
}

/** Joins the statistics of parts, each as an array of count, means, biased variances (Chan's formula). Parts with count 0 are left out. */
export function joinStatistics(all: readonly Float64Array[]): Statistics {
  const parts = all.filter(([count]) => count! > 0);
  const cols = (all[0]!.length - 1) / 2;
  const count = parts.reduce((sum, [n]) => sum + n!, 0);
  const [mean, variance] = [new Float64Array(cols), new Float64Array(cols)];
  const average = (of: (part: Float64Array) => number): number =>
    parts.reduce((sum, part) => sum + part[0]! * of(part), 0) / count;
  for (let c = 0; c < cols && count > 0; c++) {
    const joint = (mean[c] = average((part) => part[1 + c]!));
    variance[c] = average((part) => part[1 + cols + c]! + (part[1 + c]! - joint) ** 2);
  }
  return { count, mean, variance };
}

/** Arguments by which a kernel writes the statistics of its batch. */
type OwnStatistics = Pick<BatchNormForward, 'momentum' | 'runningMean' | 'runningVar'>;

/** A norm of the network. */
export interface NormTensors {
  weight: Tensor;
  mean: Tensor;
  variance: Tensor;
}

/** @throws if the slices of a step are not computed at the same time, so that their statistics cannot be joined */
export function checkSyncNorm({ total, count }: Slices, ranks: Ranks): void {
  if (count === 1) return;
  throw new Error(
    `--sync-bn joins the batch statistics of micro-batches that ranks compute at the same time, so it needs as many as ranks (${ranks.size}), ` +
      `got ${total} micro-batches a step: give --micro-batch as --batch-size divided by the ranks`,
  );
}

const like = (t: Tensor, values: ArrayLike<number>): Tensor =>
  tensor(Float32Array.from(values), t.shape, { device: t.device });

/** Normalises x by given statistics: `batchNorm` in evaluation, which also writes mean and rstd. */
function normalise(
  at: Pick<BatchNormForward, 'gelu' | 'eps' | 'x' | 'gamma' | 'beta' | 'y' | 'mean' | 'rstd'>,
  mean: Tensor,
  variance: Tensor,
): void {
  const cols = mean.size;
  const rows = (at.x as Tensor).size / cols;
  const fixed = { training: false, momentum: 0, runningMean: mean, runningVar: variance };
  kernels.batchNormForward(Object.assign(fixed, { rows, cols }, at));
}

/**
 * Replaces the batch statistics of every BatchNorm in training by those over the slices of all ranks, and the two sums of its backward
 * likewise. Every rank has one slice of a step; one without clips takes part by `skip`.
 */
export class SyncNorm {
  /** Values a channel in the batches of all ranks, for each norm whose backward is to come. */
  private counts: number[] = [];

  /** @param norms in the order of the forward @param momentum of all of them */
  constructor(
    private readonly norms: readonly NormTensors[],
    private readonly ranks: Ranks,
    private readonly momentum = 0.1,
  ) {}

  /** Runs forward and backward of this rank's slice. */
  run<T>(body: () => T): T {
    this.counts = [];
    return withLayer(this.layer, body);
  }

  /** Takes part in the exchanges of a step for which this rank has no clips. */
  skip(): void {
    const norms = this.norms.filter(({ weight }) => weight.requiresGrad); // frozen ones use their running statistics
    for (const { mean, variance } of norms) this.join([mean, variance], new Float64Array(1 + 2 * mean.size));
    for (const { mean } of norms.toReversed()) this.ranks.gather(new Float64Array(2 * mean.size));
  }

  private readonly layer: Layer = {
    over: (below) => ({
      launch: (kernel, args) => {
        const { training } = args as { training?: boolean };
        if (training && kernel === 'batch_norm_forward') this.normForward(args as BatchNormForward, below);
        else if (training && kernel === 'conv_norm_forward') this.convForward(args as ConvNormForward, below);
        else if (training && kernel === 'batch_norm_backward') this.backward(args as BatchNormBackward, below);
        else below.launch(kernel, args);
      },
    }),
  };

  private normForward(args: BatchNormForward, below: Backend): void {
    this.forward(args, args.x as Tensor, (own) => below.launch('batch_norm_forward', { ...args, ...own }));
  }

  private convForward(args: ConvNormForward, below: Backend): void {
    scope(() => {
      const u = (args.u ?? emptyLike(args.y as Tensor)) as Tensor;
      this.forward(args, u, (own) => below.launch('conv_norm_forward', { ...args, u, ...own }));
    });
  }

  /** @param x what is normalised @param launch runs the kernel: for a convolution it writes x */
  private forward(args: BatchNormForward | ConvNormForward, x: Tensor, launch: (own: OwnStatistics) => void): void {
    const { gelu, eps, gamma, beta, y, mean, rstd } = args;
    if (args.momentum !== this.momentum) throw new Error(`momentum: expected ${this.momentum}, got ${args.momentum}`);
    const running = [args.runningMean as Tensor, args.runningVar as Tensor] as const;
    scope(() => {
      const [runningMean, runningVar] = running.map(zerosLike) as [Tensor, Tensor];
      launch({ momentum: 1, runningMean, runningVar });
      const count = x.size / runningMean.size;
      const biased = runningVar.floats().map((v) => (v * (count - 1)) / count);
      const joint = this.join(running, Float64Array.of(count, ...runningMean.floats(), ...biased));
      this.counts.push(joint.count);
      const statistics = [like(runningMean, joint.mean), like(runningMean, joint.variance)] as const;
      normalise({ gelu, eps, x, gamma, beta, y, mean, rstd }, ...statistics);
    });
  }

  /** Exchanges the statistics of a norm, and updates its running ones: on every rank alike. */
  private join([mean, variance]: readonly [Tensor, Tensor], own: Float64Array): Statistics {
    const joint = joinStatistics(this.ranks.gather(own));
    if (joint.count === 0) return joint;
    const unbiased = joint.variance.map((v) => (v * joint.count) / (joint.count - 1));
    scope(() => moveTowards([mean, variance], [like(mean, joint.mean), like(mean, unbiased)], this.momentum));
    return joint;
  }

  /** dx = gamma rstd (dz - sum(dz) / n - xhat sum(dz xhat) / n), of which the kernel computes the first term and this rank's sums. */
  private backward(args: BatchNormBackward, below: Backend): void {
    below.launch('batch_norm_backward', { ...args, training: false });
    const [of, mean, x, dx] = [args.gamma, args.mean, args.x, args.dx] as [Tensor, Tensor, Tensor, Tensor];
    const [dgamma, dbeta, rstd] = [args.dgamma, args.dbeta, args.rstd].map((t) => (t as Tensor).floats());
    const count = this.counts.pop();
    if (count === undefined) throw new Error('the backward of a norm without its forward');
    const all = this.ranks.gather(Float64Array.of(...dbeta!, ...dgamma!));
    const average = (i: number): number => all.reduce((sum, part) => sum + part[i]!, 0) / count;
    const factors = of.floats().map((g, c) => -g * rstd![c]!);
    scope(() => {
      const gamma = like(
        of,
        factors.map((f, c) => f * rstd![c]! * average(factors.length + c)),
      );
      const beta = like(
        of,
        factors.map((f, c) => f * average(c)),
      );
      const [y, one] = [
        emptyLike(dx),
        like(
          of,
          factors.map(() => 1),
        ),
      ];
      const unused = { mean: emptyLike(of), rstd: emptyLike(of) };
      normalise({ gelu: false, eps: 0, x, gamma, beta, y, ...unused }, mean, one);
      kernels.accumulateForward({ n: dx.size, from: y, into: dx });
    });
  }
}
