import { isDryRun } from '../dry_run';
import { Philox } from '../random';
import type { Tensor } from '../tensor';

let generator = new Philox(0, 1);

/** Restarts the numbers that initialise parameters. */
export function seedInit(seed: number): void {
  generator = new Philox(seed, 1);
}

/** Normal with standard deviation `std`, redrawn outside [-2, 2] (PyTorch's trunc_normal_ with its default bounds). */
export function truncatedNormal(t: Tensor, std: number): Tensor {
  if (isDryRun()) return t;
  const values = new Float32Array(t.size);
  for (let i = 0; i < values.length; i++) {
    let value = generator.normal() * std;
    while (value < -2 || value > 2) value = generator.normal() * std;
    values[i] = value;
  }
  return t.copyFrom(values);
}

/** Uniform in [-bound, bound). */
export function uniform(t: Tensor, bound: number): Tensor {
  if (isDryRun()) return t;
  return t.copyFrom(Float32Array.from({ length: t.size }, () => (generator.uniform() * 2 - 1) * bound));
}
