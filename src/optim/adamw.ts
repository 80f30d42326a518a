import { kernels } from '../core/dispatch';
import { expectOptions, type Known } from '../core/options';
import type { Tensor } from '../core/tensor';
import { Optimizer, type ParameterGroup } from './optimizer';

/** Options of `AdamW`, with PyTorch's defaults. */
export interface AdamWOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
}

/** The names of options. */
export const ADAMW_OPTIONS: Known<AdamWOptions> = { lr: true, betas: true, eps: true, weightDecay: true };

/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019), PyTorch's formula; each group is one pass over memory. */
export class AdamW extends Optimizer {
  private readonly betas: readonly [number, number];
  private readonly eps: number;

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdamWOptions = {}) {
    expectOptions(new.target.name, options, ADAMW_OPTIONS);
    super(params, options.lr ?? 1e-3, options.weightDecay ?? 1e-2, ['exp_avg', 'exp_avg_sq']);
    this.betas = options.betas ?? [0.9, 0.999];
    this.eps = options.eps ?? 1e-8;
    if (!this.betas.every((b) => b >= 0 && b < 1))
      throw new Error(`AdamW: betas must be in [0, 1), got ${this.betas.join(', ')}`);
    if (!(this.eps > 0)) throw new Error(`AdamW: eps must be above 0, got ${this.eps}`);
  }

  /** @internal */
  protected override get numbersOfStep(): number {
    return 3;
  }

  /** @internal */
  protected override writeNumbers(group: { lr: number; weightDecay: number }, into: Tensor): void {
    const [beta1, beta2] = this.betas;
    const { lr } = group;
    kernels.adamwNumbers({ lr, beta1, beta2, decay: this.decay(group), step: this.step_, numbers: into });
  }

  /** @internal The decoupled weight decay of a step. */
  protected decay({ weightDecay }: { weightDecay: number }): number {
    return weightDecay;
  }

  /** @internal The gradients of a step. */
  protected gradients(_group: { weightDecay: number }, params: readonly Tensor[]): Tensor[] {
    return params.map((p) => p.grad!);
  }

  /** @internal */
  protected update(
    group: { lr: number; weightDecay: number },
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void {
    const [beta1, beta2] = this.betas;
    kernels.adamwStep({
      lr: group.lr,
      beta1,
      beta2,
      eps: this.eps,
      decay: this.decay(group),
      step: this.step_,
      parameters: params,
      gradients: this.gradients(group, params),
      first: moments('exp_avg'),
      second: moments('exp_avg_sq'),
      numbers: numbers ?? null,
    });
  }
}
