import { backward } from '../core/autograd';
import type { Normalisation } from '../data/normalisation';
import type { Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { Philox } from '../core/philox';
import { scope } from '../core/scope';
import { tensor, type Shape } from '../core/tensor';
import { normalised } from '../train/input';
import { bestClass } from '../train/metrics';
import { probabilities } from '../train/views';
import type { ClipSaliency } from './learned_types';

/** Runs `body` with gradients of the model's parameters disabled. */
function withFrozenParameters<T>(model: MorphMLP, body: () => T): T {
  const parameters = model.parameters().filter((p) => p.requiresGrad);
  for (const p of parameters) p.requiresGrad = false;
  try {
    return body();
  } finally {
    for (const p of parameters) p.requiresGrad = true;
  }
}

/** The logits [classes] of one clip, and the gradient of logit `target` with respect to the clip. */
export interface InputGradient {
  logits: Float32Array;
  target: number;
  gradient: Float32Array;
}

/**
 * Differentiates a logit with respect to the input. The model must be in evaluation mode; its gradients are unchanged.
 * @param x one clip [1, 3, T, H, W]
 * @param target the class; default the one with the largest logit
 */
export function inputGradient(model: MorphMLP, x: Float32Array, shape: Shape, target?: number): InputGradient {
  return withFrozenParameters(model, () =>
    scope(() => {
      const input = tensor(x, shape, { requiresGrad: true });
      const output = model.forward(input);
      const logits = output.floats();
      const chosen = target ?? bestClass(logits, 0, logits.length);
      const seed = Float32Array.from(logits, (_, i) => Number(i === chosen));
      backward(output, tensor(seed, output.shape));
      const gradient = input.grad!.floats();
      input.grad!.dispose();
      return { logits, target: chosen, gradient };
    }),
  );
}

/** Options of saliency. */
export interface SaliencyOptions {
  normalisation: Normalisation;
  /** Number of noisy copies whose gradients are averaged (SmoothGrad, Smilkov et al. 2017); 0 for the clip alone. Default 0. */
  copies?: number;
  /** Standard deviation of the noise as a fraction of the range of the clip's values. Default 0.1. */
  noise?: number;
  seed?: number;
  /** Called after each gradient. */
  onGradient?: () => void;
}

/** Per-pixel saliency of a clip, each map [frames, height, width]. */
export interface SaliencyMaps {
  /** Norm of the gradient over red, green and blue. */
  magnitude: Float32Array;
  /** Gradient · input, summed over red, green and blue. */
  contribution: Float32Array;
}

/** The gradient averaged over noisy copies of a clip. */
function smoothed(model: MorphMLP, x: Float32Array, shape: Shape, target: number, options: SaliencyOptions) {
  const { copies = 0, noise = 0.1, seed = 0, onGradient } = options;
  const range = x.reduce((a, b) => Math.max(a, b)) - x.reduce((a, b) => Math.min(a, b));
  const sum = new Float64Array(x.length);
  for (let copy = 0; copy < copies; copy++) {
    const random = new Philox(seed).fork('saliency').fork(copy);
    const noisy = x.map((v) => v + random.normal(0, noise * range));
    inputGradient(model, noisy, shape, target).gradient.forEach((g, i) => (sum[i]! += g));
    onGradient?.();
  }
  return Float32Array.from(sum, (g) => g / copies);
}

/** Sums [3, T, H, W] over its first dimension. */
function mapsOf(gradient: Float32Array, x: Float32Array): SaliencyMaps {
  const plane = gradient.length / 3;
  const [magnitude, contribution] = [new Float32Array(plane), new Float32Array(plane)];
  for (let i = 0; i < plane; i++) {
    const [green, blue] = [plane + i, 2 * plane + i];
    magnitude[i] = Math.sqrt(gradient[i]! ** 2 + gradient[green]! ** 2 + gradient[blue]! ** 2);
    contribution[i] = gradient[i]! * x[i]! + gradient[green]! * x[green]! + gradient[blue]! * x[blue]!;
  }
  return { magnitude, contribution };
}

function byFrame(map: Float32Array, frames: number): number[] {
  const area = map.length / frames;
  return Array.from({ length: frames }, (_, t) =>
    map.subarray(t * area, (t + 1) * area).reduce((sum, value) => sum + value, 0),
  );
}

/** Computes the saliency of a clip for its predicted class, by frame and by pixel. */
export function clipSaliency(
  model: MorphMLP,
  clip: Clip,
  options: SaliencyOptions,
): { saliency: ClipSaliency; maps: SaliencyMaps } {
  const { x, shape } = normalised([clip], options.normalisation);
  const { logits, target, gradient } = inputGradient(model, x, shape);
  options.onGradient?.();
  const mean = options.copies ? smoothed(model, x, shape, target, options) : gradient;
  const maps = mapsOf(mean, x);
  const magnitudes = byFrame(maps.magnitude, clip.frames);
  const all = magnitudes.reduce((a, b) => a + b, 0) || 1;
  const saliency = {
    ...{ path: clip.path, label: clip.label, predicted: target, probability: probabilities(logits)[target]! },
    frames: magnitudes.map((m) => m / all),
    contributions: byFrame(maps.contribution, clip.frames),
  };
  return { saliency, maps };
}
