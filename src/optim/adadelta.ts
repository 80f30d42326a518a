import { noGrad } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { add, div, mul, sub } from '../ops/arithmetic';
import { sqrt } from '../ops/pointwise';
import { Optimizer, type ParameterGroup } from './optimizer';

/** Options of `Adadelta`, with PyTorch's defaults. */
export interface AdadeltaOptions {
  /** Default 1. */
  lr?: number;
  /** Decay of both averages; default 0.9. */
  rho?: number;
  /** Added to both averages under the root; default 1e-6. */
  eps?: number;
  weightDecay?: number;
}

const write = (from: Tensor, into: Tensor) => kernels.accumulateCopy({ n: into.size, from, into });

/** Adadelta (Zeiler, 2012), PyTorch's formula; made of simple ops, so it makes several passes over memory. */
export class Adadelta extends Optimizer {
  private readonly rho: number;
  private readonly eps: number;

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdadeltaOptions = {}) {
    expectOptions('Adadelta', options, { lr: true, rho: true, eps: true, weightDecay: true });
    const { lr = 1, rho = 0.9, eps = 1e-6, weightDecay = 0 } = options;
    super(params, lr, weightDecay, ['square_avg', 'acc_delta']);
    if (!(rho >= 0 && rho <= 1)) throw new Error(`Adadelta: rho must be in [0, 1], got ${rho}`);
    if (!(eps > 0)) throw new Error(`Adadelta: eps must be above 0, got ${eps}`);
    [this.rho, this.eps] = [rho, eps];
  }

  /** @internal */
  protected update(
    group: { lr: number; weightDecay: number },
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void {
    const [squares, deltas] = [moments('square_avg'), moments('acc_delta')];
    const average = (into: Tensor, x: Tensor) => write(add(mul(into, this.rho), mul(mul(x, x), 1 - this.rho)), into);
    const step = (p: Tensor, i: number) => {
      const grad = group.weightDecay === 0 ? p.grad! : add(p.grad!, mul(p, group.weightDecay));
      average(squares[i]!, grad);
      const delta = mul(div(sqrt(add(deltas[i]!, this.eps)), sqrt(add(squares[i]!, this.eps))), grad);
      average(deltas[i]!, delta);
      write(sub(p, mul(delta, numbers ?? group.lr)), p);
    };
    noGrad(() => params.forEach((p, i) => scope(() => step(p, i))));
  }
}
