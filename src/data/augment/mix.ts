/** Mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019) of a batch with itself in reverse, as the authors' code has them. */
import type { Philox } from '../../core/philox';
import type { Box } from '../sampling';

/** How often and how strongly batches are mixed. */
export interface MixOptions {
  /** Parameter of mixup's beta distribution; 0: no mixup. */
  alpha: number;
  /** The same of cutmix. */
  cutmixAlpha: number;
  /** Share of batches that are mixed. */
  prob: number;
  /** Share of mixed batches that are cutmix, where both are on. */
  switchProb: number;
}

/** What was drawn for a batch: `lambda` is the share that stays. */
export type Mix = { kind: 'mixup'; lambda: number } | { kind: 'cutmix'; lambda: number; box: Box };

const { floor, max, min, sqrt } = Math;

/** A gamma number of shape `a` (Marsaglia and Tsang, 2000; below 1 by the power of a uniform one). */
function gamma(a: number, random: Philox): number {
  if (a < 1) return gamma(a + 1, random) * (1 - random.uniform()) ** (1 / a);
  const d = a - 1 / 3;
  for (;;) {
    const x = random.normal();
    const v = (1 + x / sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** A number of the symmetric beta distribution. */
export function beta(a: number, random: Philox): number {
  const [x, y] = [gamma(a, random), gamma(a, random)];
  return x / (x + y);
}

/** A box of the area 1 − lambda about a random centre; lambda becomes the true share where the border cuts it. */
function cutmix(lambda: number, { height, width }: { height: number; width: number }, random: Philox): Mix {
  const half = (side: number): number => floor(floor(side * sqrt(1 - lambda)) / 2);
  const [cy, cx] = [random.int(height), random.int(width)];
  const [y, x] = [max(cy - half(height), 0), max(cx - half(width), 0)];
  const box = { x, y, width: min(cx + half(width), width) - x, height: min(cy + half(height), height) - y };
  return { kind: 'cutmix', lambda: 1 - (box.width * box.height) / (height * width), box };
}

/** Draws how a batch is mixed; null where it is not. */
export function drawMix(options: MixOptions, size: { height: number; width: number }, random: Philox): Mix | null {
  const { alpha, cutmixAlpha, prob, switchProb } = options;
  if (random.uniform() >= prob || (alpha === 0 && cutmixAlpha === 0)) return null;
  const cut = alpha === 0 || (cutmixAlpha > 0 && random.uniform() < switchProb);
  const lambda = beta(cut ? cutmixAlpha : alpha, random);
  return cut ? cutmix(lambda, size, random) : { kind: 'mixup', lambda };
}

/** Targets f32 [B, classes] of a mixed batch: lambda of a clip's own smoothed label and the rest of its partner's. */
export function softTargets(labels: Int32Array, classes: number, smoothing: number, lambda: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, i) => {
    const partner = labels[labels.length - 1 - i]!;
    targets[i * classes + label]! += (1 - smoothing) * lambda;
    targets[i * classes + partner]! += (1 - smoothing) * (1 - lambda);
  });
  return targets;
}
