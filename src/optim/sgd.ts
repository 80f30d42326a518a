import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import type { Tensor } from '../core/tensor';
import { Optimizer, type ParameterGroup } from './optimizer';

/** Options of `SGD`, with PyTorch's names. */
export interface SGDOptions {
  lr: number;
  momentum?: number;
  weightDecay?: number;
  nesterov?: boolean;
}

/** Stochastic gradient descent with momentum, PyTorch's formula. */
export class SGD extends Optimizer {
  private readonly momentum: number;
  private readonly nesterov: boolean;

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: SGDOptions) {
    expectOptions('SGD', options, { lr: true, momentum: true, weightDecay: true, nesterov: true });
    const { lr, momentum = 0, weightDecay = 0, nesterov = false } = options;
    super(params, lr, weightDecay, ['momentum_buffer']);
    if (!(momentum >= 0)) throw new Error(`SGD: the momentum must be 0 or more, got ${momentum}`);
    if (nesterov && momentum === 0) throw new Error('SGD: nesterov needs a momentum above 0');
    this.momentum = momentum;
    this.nesterov = nesterov;
  }

  /** @internal */
  protected update(
    group: { lr: number; weightDecay: number },
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void {
    const { momentum, nesterov } = this;
    kernels.sgdStep({
      lr: group.lr,
      momentum,
      decay: group.weightDecay,
      nesterov,
      parameters: params,
      gradients: params.map((p) => p.grad!),
      buffers: moments('momentum_buffer'),
      lrOfStep: numbers ?? null,
    });
  }
}
