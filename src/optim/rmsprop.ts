import { noGrad } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { add, div, mul, sub } from '../ops/arithmetic';
import { sqrt } from '../ops/pointwise';
import { Optimizer, type ParameterGroup } from './optimizer';

/** Options of `RMSprop`, with PyTorch's defaults. */
export interface RMSpropOptions {
  lr?: number;
  /** Decay of the average of squared gradients. */
  alpha?: number;
  eps?: number;
  momentum?: number;
  weightDecay?: number;
}

const write = (from: Tensor, into: Tensor) => kernels.accumulateCopy({ n: into.size, from, into });

/** RMSprop, PyTorch's formula without centring; made of simple ops, so it makes several passes over memory. */
export class RMSprop extends Optimizer {
  private readonly alpha: number;
  private readonly eps: number;
  private readonly momentum: number;

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: RMSpropOptions = {}) {
    expectOptions('RMSprop', options, { lr: true, alpha: true, eps: true, momentum: true, weightDecay: true });
    const { lr = 1e-2, alpha = 0.99, eps = 1e-8, momentum = 0, weightDecay = 0 } = options;
    super(params, lr, weightDecay, ['square_avg', 'momentum_buffer']);
    if (!(alpha >= 0 && alpha < 1)) throw new Error(`RMSprop: alpha must be in [0, 1), got ${alpha}`);
    if (!(eps > 0)) throw new Error(`RMSprop: eps must be above 0, got ${eps}`);
    if (!(momentum >= 0)) throw new Error(`RMSprop: the momentum must be 0 or more, got ${momentum}`);
    [this.alpha, this.eps, this.momentum] = [alpha, eps, momentum];
  }

  /** @internal */
  protected update(
    group: { lr: number; weightDecay: number },
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void {
    const [squares, buffers] = [moments('square_avg'), moments('momentum_buffer')];
    const step = (p: Tensor, i: number) => {
      const grad = group.weightDecay === 0 ? p.grad! : add(p.grad!, mul(p, group.weightDecay));
      const [square, buffer] = [squares[i]!, buffers[i]!];
      write(add(mul(square, this.alpha), mul(mul(grad, grad), 1 - this.alpha)), square);
      const scaled = div(grad, add(sqrt(square), this.eps));
      if (this.momentum > 0) write(add(mul(buffer, this.momentum), scaled), buffer);
      write(sub(p, mul(this.momentum > 0 ? buffer : scaled, numbers ?? group.lr)), p);
    };
    noGrad(() => params.forEach((p, i) => scope(() => step(p, i))));
  }
}
