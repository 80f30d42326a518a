import { expectOptions, type Known } from '../core/options';
import { Tensor, zeros } from '../core/tensor';
import { isParameter } from '../nn/module';

/** Parameters that share their options. Options not given come from the optimizer's defaults. */
export interface ParameterGroup {
  params: readonly Tensor[];
  lr?: number;
  weightDecay?: number;
  /** Name for messages. */
  name?: string;
}

const GROUP: Known<ParameterGroup> = { params: true, lr: true, weightDecay: true, name: true };

/** A parameter group of an optimizer, with its options filled in. */
export interface Group {
  params: readonly Tensor[];
  /** Learning rate of the next step. */
  lr: number;
  weightDecay: number;
  /** Initial `lr`; schedules scale it. */
  readonly baseLr: number;
}

/** State of an optimizer for checkpoints: the step count, and one array per parameter and moment. */
export interface OptimizerState {
  step: number;
  moments: Map<string, Float32Array>;
}

function checkNumber(what: string, value: number, ok: boolean): void {
  if (!ok) throw new Error(`optimizer: ${what}, got ${value}`);
}

function checkParameters(groups: readonly ParameterGroup[]): void {
  const seen = new Set<Tensor>();
  for (const p of groups.flatMap((g) => g.params)) {
    if (!isParameter(p) || p.node)
      throw new Error(`optimizer: ${p.label()} is not a parameter (a leaf that requires a gradient)`);
    if (seen.has(p)) throw new Error(`optimizer: ${p.label()} is in more than one group`);
    seen.add(p);
  }
  if (seen.size === 0) throw new Error('optimizer: no parameters');
}

/** Base class of AdamW and SGD: parameter groups, gradients, moments and their state. */
export abstract class Optimizer {
  /** The parameter groups, in the order given. */
  readonly groups: Group[];
  /** @internal */
  protected step_ = 0;
  private readonly moments: Map<string, Tensor>[] = [];

  constructor(
    params: readonly Tensor[] | readonly ParameterGroup[],
    lr: number,
    weightDecay: number,
    names: readonly string[],
  ) {
    const groups =
      params[0] instanceof Tensor ? [{ params: params as readonly Tensor[] }] : (params as readonly ParameterGroup[]);
    for (const group of groups) expectOptions(`${new.target.name}: a group of parameters`, group, GROUP);
    checkParameters(groups);
    this.groups = groups.map((g) => {
      const rate = g.lr ?? lr;
      const decay = g.weightDecay ?? weightDecay;
      checkNumber('the learning rate must be 0 or more', rate, rate >= 0);
      checkNumber('the weight decay must be 0 or more', decay, decay >= 0);
      return { params: g.params, lr: rate, weightDecay: decay, baseLr: rate };
    });
    this.moments = this.all().map((p) => new Map(names.map((name) => [name, moment(p)])));
  }

  /** The number of steps taken. */
  get steps(): number {
    return this.step_;
  }

  /** Sets the learning rate of every group, keeping their ratios to the first. */
  setLr(lr: number): void {
    const base = this.groups[0]!.baseLr;
    for (const group of this.groups) group.lr = base === 0 ? lr : (lr * group.baseLr) / base;
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const p of this.all()) {
      p.grad?.dispose();
      p.grad = null;
    }
  }

  /** Names of parameters without a gradient, except frozen ones: after a backward, those that the loss does not depend on. */
  missingGradients(): string[] {
    return this.all().flatMap((p) => (p.grad || !p.requiresGrad ? [] : [p.name || p.label()]));
  }

  /** Updates the parameters from their gradients. Frozen parameters and those without a gradient do not change. */
  step(): void {
    this.step_ += 1;
    this.launchStep();
  }

  /** @internal Allocates the per-step scalars of `countStep` and `launchStep`: one tensor per group, on the parameters' device. */
  makeNumbers(): Tensor[] {
    return this.groups.map(({ params }) => zeros([this.numbersOfStep], { device: params[0]!.device }));
  }

  /** @internal First half of a step in a CUDA graph: increments the step count and writes the per-step scalars to `numbers`. */
  countStep(numbers: readonly Tensor[]): void {
    this.step_ += 1;
    this.groups.forEach((group, i) => this.writeNumbers(group, numbers[i]!));
  }

  /** @internal Second half: the launches. They read the per-step scalars from `numbers`, or else take those of the current step. */
  launchStep(numbers?: readonly Tensor[]): void {
    let first = 0;
    for (const [index, group] of this.groups.entries()) {
      const at = first;
      const live = group.params.flatMap((p, i) =>
        p.grad && p.requiresGrad ? [{ p, moments: this.moments[at + i]! }] : [],
      );
      if (live.length > 0) {
        this.update(
          group,
          live.map(({ p }) => p),
          (name) => live.map(({ moments }) => moments.get(name)!),
          numbers?.[index],
        );
      }
      first += group.params.length;
    }
  }

  /** The step count and copies of the moments, by `<parameter>.<moment>`. */
  stateDict(): OptimizerState {
    const entries = this.named().map(([name, t]): [string, Float32Array] => [name, t.floats()]);
    return { step: this.step_, moments: new Map(entries) };
  }

  /** Restores a state. @throws naming every moment that is missing or of the wrong size; nothing has changed then */
  loadStateDict(state: OptimizerState): void {
    const problems = this.named().flatMap(([name, t]) => {
      const size = state.moments.get(name)?.length;
      return size === t.size ? [] : [`${name}: expected ${t.size} values, got ${size ?? 'none'}`];
    });
    if (problems.length > 0) throw new Error(`optimizer: the state does not fit:\n  ${problems.join('\n  ')}`);
    for (const [name, t] of this.named()) t.copyFrom(state.moments.get(name)!);
    this.step_ = state.step;
  }

  /** Frees the moments. */
  dispose(): void {
    for (const moments of this.moments) for (const t of moments.values()) t.dispose();
  }

  /** @internal */
  protected abstract update(
    group: Group,
    params: Tensor[],
    moments: (name: string) => Tensor[],
    numbers: Tensor | undefined,
  ): void;

  /** @internal Number of per-step scalars of a group; `writeNumbers` writes those of the current step. Here the rate alone. */
  protected get numbersOfStep(): number {
    return 1;
  }
  /** @internal */
  protected writeNumbers({ lr }: Group, into: Tensor): void {
    into.copyFrom([lr]);
  }

  private all(): Tensor[] {
    return this.groups.flatMap((g) => [...g.params]);
  }

  private named(): [string, Tensor][] {
    return this.all().flatMap((p, i) =>
      [...this.moments[i]!].map(([name, t]): [string, Tensor] => [`${p.name || i}.${name}`, t]),
    );
  }
}

function moment(p: Tensor): Tensor {
  const t = zeros(p.shape, { device: p.device });
  t.persistent = true;
  return t;
}

/**
 * Splits parameters into two groups: weights of two or more dimensions with weight decay, 1-D parameters (biases, LayerNorm and
 * BatchNorm) without, as in the authors' recipes (ZERO_WD_1D_PARAM).
 */
export function parameterGroups(parameters: readonly Tensor[], weightDecay: number): ParameterGroup[] {
  const groups = [
    { name: 'decay', params: parameters.filter((p) => p.ndim > 1), weightDecay },
    { name: 'no decay', params: parameters.filter((p) => p.ndim <= 1), weightDecay: 0 },
  ];
  return groups.filter((g) => g.params.length > 0);
}
