import type { NamedTensor } from '../nn/module';
import { zeros, type Tensor } from '../core/tensor';
import { lerp } from './grad_norm';

/**
 * The exponential moving average of parameters: average += (1 − decay) · (parameter − average) after every step, from the
 * parameters' first values. Running statistics of BatchNorm are averages already and stay the model's own.
 */
export class MovingAverage {
  private readonly params: readonly NamedTensor[];
  private readonly averages: Tensor[];

  constructor(
    params: readonly NamedTensor[],
    private readonly decay: number,
  ) {
    if (!(decay > 0 && decay < 1)) throw new Error(`moving average: the decay must be between 0 and 1, got ${decay}`);
    this.params = params;
    this.averages = params.map(([, p]) => Object.assign(zeros(p.shape, { device: p.device }), { persistent: true }));
    this.reset();
  }

  /** Restarts the averages from the current parameters, for example after weights were loaded. */
  reset(): void {
    this.params.forEach(([, p], i) => this.averages[i]!.copyFrom(p.floats()));
  }

  /** Updates the averages. Call it once after each step. */
  update(): void {
    lerp(
      this.averages,
      this.params.map(([, p]) => p),
      1 - this.decay,
    );
  }

  /** Exchanges parameters and averages; a second call undoes the first. */
  swap(): void {
    this.params.forEach(([, p], i) => {
      const average = this.averages[i]!;
      const own = p.floats();
      p.copyFrom(average.floats());
      average.copyFrom(own);
    });
  }

  /** Copies of the averages by `ema.<parameter>`. */
  stateDict(): Map<string, Float32Array> {
    return new Map(this.params.map(([name], i) => [`ema.${name}`, this.averages[i]!.floats()]));
  }

  /** Restores a state. @throws naming the first average that is missing or of a wrong size */
  loadStateDict(state: ReadonlyMap<string, Float32Array>): void {
    this.params.forEach(([name], i) => {
      const [values, average] = [state.get(`ema.${name}`), this.averages[i]!];
      if (values?.length !== average.size)
        throw new Error(`moving average of ${name}: expected ${average.size} values, got ${values?.length ?? 'none'}`);
      average.copyFrom(values);
    });
  }

  /** Frees the averages. */
  dispose(): void {
    for (const average of this.averages) average.dispose();
  }
}
