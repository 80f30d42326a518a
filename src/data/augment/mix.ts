/** Mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019) of a batch with its reverse, as in the authors' code. */
import type { Philox } from '../../core/philox';
import type { Box } from '../sampling';

/** How often and how strongly batches are mixed. */
export interface MixOptions {
  /** Parameter of mixup's beta distribution; 0: no mixup. */
  alpha: number;
  /** Parameter of CutMix's beta distribution; 0: no CutMix. */
  cutmixAlpha: number;
  /** Share of batches that are mixed. */
  prob: number;
  /** Share of mixed batches that use CutMix if both are on. */
  switchProb: number;
}

/** Random parameters of a mixed batch; `lambda` is the weight of a clip's own pixels. */
export type Mix = { kind: 'mixup'; lambda: number } | { kind: 'cutmix'; lambda: number; box: Box };

const { floor, max, min, sqrt } = Math;

/** Gamma variate of shape `a` (Marsaglia and Tsang, 2000; a < 1 by their power of a uniform variate). */
function gamma(a: number, random: Philox): number {
  if (a < 1) return gamma(a + 1, random) * (1 - random.uniform()) ** (1 / a);
  const d = a - 1 / 3;
  for (;;) {
    const x = random.normal();
    const v = (1 + x / sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Variate of the symmetric beta distribution. */
export function beta(a: number, random: Philox): number {
  const [x, y] = [gamma(a, random), gamma(a, random)];
  return x / (x + y);
}

/** Box of area 1 − lambda about a random centre. If the border clips it, lambda is corrected to the true area. */
function cutmix(lambda: number, { height, width }: { height: number; width: number }, random: Philox): Mix {
  const half = (side: number): number => floor(floor(side * sqrt(1 - lambda)) / 2);
  const [cy, cx] = [random.int(height), random.int(width)];
  const [y, x] = [max(cy - half(height), 0), max(cx - half(width), 0)];
  const box = { x, y, width: min(cx + half(width), width) - x, height: min(cy + half(height), height) - y };
  return { kind: 'cutmix', lambda: 1 - (box.width * box.height) / (height * width), box };
}

/** Draws the mix of a batch; null if the batch is not mixed. */
export function drawMix(options: MixOptions, size: { height: number; width: number }, random: Philox): Mix | null {
  const { alpha, cutmixAlpha, prob, switchProb } = options;
  if (random.uniform() >= prob || (alpha === 0 && cutmixAlpha === 0)) return null;
  const cut = alpha === 0 || (cutmixAlpha > 0 && random.uniform() < switchProb);
  const lambda = beta(cut ? cutmixAlpha : alpha, random);
  return cut ? cutmix(lambda, size, random) : { kind: 'mixup', lambda };
}

/** Targets f32 [B, classes] of a mixed batch: lambda · smoothed label + (1 − lambda) · smoothed label of the partner. */
export function softTargets(labels: Int32Array, classes: number, smoothing: number, lambda: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, i) => {
    const partner = labels[labels.length - 1 - i]!;
    targets[i * classes + label]! += (1 - smoothing) * lambda;
    targets[i * classes + partner]! += (1 - smoothing) * (1 - lambda);
  });
  return targets;
}
