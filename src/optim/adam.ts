import { noGrad } from '../core/autograd';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { add, mul } from '../ops/arithmetic';
import { AdamW, ADAMW_OPTIONS, type AdamWOptions } from './adamw';
import type { ParameterGroup } from './optimizer';

/** Adam (Kingma and Ba, 2015), PyTorch's formula: weight decay, by default 0, is added to the gradients. `AdamW` decouples it. */
export class Adam extends AdamW {
  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdamWOptions = {}) {
    expectOptions(new.target.name, options, ADAMW_OPTIONS);
    super(params, { weightDecay: 0, ...options });
  }

  /** @internal */
  protected override decay(): number {
    return 0;
  }

  /** @internal */
  protected override gradients({ weightDecay }: { weightDecay: number }, params: readonly Tensor[]): Tensor[] {
    const own = params.map((p) => p.grad!);
    if (weightDecay === 0) return own;
    return noGrad(() => own.map((grad, i) => scope(() => add(grad, mul(params[i]!, weightDecay)))));
  }

  /** @internal */
  override launchStep(numbers?: readonly Tensor[]): void {
    scope(() => super.launchStep(numbers));
  }
}
