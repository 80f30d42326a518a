import { kernels } from '../core/native';
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

  constructor(
    params: readonly Tensor[] | readonly ParameterGroup[],
    { lr, momentum = 0, weightDecay = 0, nesterov = false }: SGDOptions,
  ) {
    super(params, lr, weightDecay, ['momentum_buffer']);
    if (!(momentum >= 0)) throw new Error(`SGD: the momentum must be 0 or more, got ${momentum}`);
    if (nesterov && momentum === 0) throw new Error('SGD: nesterov needs a momentum above 0');
    this.momentum = momentum;
    this.nesterov = nesterov;
  }

  /** @internal */
  protected readonly numbersOfStep = 1;

  /** @internal */
  protected writeNumbers({ lr }: { lr: number }, into: Tensor): void {
    into.copyFrom([lr]);
  }

  /** @internal */
  protected update(
    group: { lr: number; weightDecay: number },
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void {
    const lists = [params, params.map((p) => p.grad!), moments('momentum_buffer')];
    const handles = lists.map((list) => list.map((t) => t.handle));
    const now = [group.lr, this.momentum, group.weightDecay, this.nesterov];
    kernels.sgd_step(...now, ...handles, numbers?.handle ?? null);
  }
}
