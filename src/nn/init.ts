import { isDryRun } from '../core/dry_run';
import { manualSeed as seedOps } from '../core/generator';
import { Philox } from '../core/philox';
import type { Tensor } from '../core/tensor';

let generator = new Philox(0, 1);

/** Seeds everything random: initial parameters, dropout, `rand` and the order of a DataLoader. @param seed 0 .. 2^52 - 1 */
export function manualSeed(seed: number): void {
  seedOps(seed);
  seedInit(seed);
}

/** Seeds the generator of initial parameter values alone. */
export function seedInit(seed: number): void {
  generator = new Philox(seed, 1);
}

/** Normal with standard deviation `std`, redrawn outside [-2, 2] (PyTorch's trunc_normal_ with its default bounds). */
export function truncatedNormal(t: Tensor, std: number): Tensor {
  if (isDryRun()) return t;
  return t.fill((values) => {
    for (let i = 0; i < values.length; i++) {
      let value = generator.normal() * std;
      while (value < -2 || value > 2) value = generator.normal() * std;
      values[i] = value;
    }
  });
}

/** Normal with mean 0. */
export function normal(t: Tensor, std: number): Tensor {
  if (isDryRun()) return t;
  return t.fill((values) => {
    for (let i = 0; i < values.length; i++) values[i] = generator.normal() * std;
  });
}

/** Uniform in [-bound, bound). */
export function uniform(t: Tensor, bound: number): Tensor {
  if (isDryRun()) return t;
  return t.fill((values) => {
    for (let i = 0; i < values.length; i++) values[i] = (generator.uniform() * 2 - 1) * bound;
  });
}
