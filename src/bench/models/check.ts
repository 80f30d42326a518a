import { backward } from '../../core/autograd';
import { relativeError } from '../op_cases/compare';
import { uniform } from '../op_cases/random';
import { timeSteps, type MorphMlpConfig } from '../../models/config';
import { MorphMLP } from '../../models/morphmlp';
import { native } from '../../core/native';
import { withPlugin, type Plugin } from '../../core/plugins';
import { scope } from '../../core/scope';
import { tensor } from '../../core/tensor';
import type { ModelErrors } from '../kernels/protocol';

/** Relative errors between two f32 computations with different orders of summation; against float64, 2e-6 and 2e-5 are allowed. */
const ALLOWED = { logits: 1e-5, gradient: 1e-4 };

interface Outputs {
  logits: Float32Array;
  gradients: [name: string, values: Float32Array][];
}

/** Logits and all gradients of a model in evaluation mode for one clip; deterministic. */
function outputsOf(model: MorphMLP, crop: number, seed: number): Outputs {
  const { kind, frames, numClasses } = model.config;
  const shape = [1, 3, kind === 'image' ? 1 : frames, crop, crop];
  return scope(() => {
    const x = tensor(uniform(seed, 3 * shape[2]! * crop * crop), shape);
    const y = model.eval().forward(x);
    const logits = y.floats();
    backward(y, tensor(uniform(seed + 1, numClasses), [1, numClasses]));
    const gradients = model.namedParameters().map(([name, p]): [string, Float32Array] => [name, p.grad!.floats()]);
    for (const p of model.parameters()) {
      p.grad?.dispose();
      p.grad = null;
    }
    return { logits, gradients };
  });
}

/** A model with random weights everywhere: the default initialisation makes temporal parts zero, which would hide a wrong kernel. */
function randomModel(config: MorphMlpConfig, seed: number): MorphMLP {
  const model = new MorphMLP(config);
  model.parameters().forEach((p, i) => {
    const width = p.ndim > 1 ? p.size / p.shape[0]! : 12; // variance 1/3 · scale² · width = 1 preserves the tokens' scale
    p.copyFrom(uniform(seed + 10 + i, p.size, Math.sqrt(3 / width), p.ndim > 1 ? 0 : 0.5));
  });
  return model;
}

const withPlugins = <T>(plugins: readonly Plugin[], body: () => T): T =>
  plugins.reduce<() => T>((inner, plugin) => () => withPlugin(plugin, inner), body)();

/**
 * Compares a model that uses plugins with the same model on our kernels: logits and every parameter's gradient for one random clip, with
 * guard pages that detect out-of-bounds access.
 * @throws if they differ by more than rounding
 */
export function verifyModel(
  config: MorphMlpConfig,
  crop: number,
  plugins: readonly Plugin[],
  seed: number,
): ModelErrors {
  const model = randomModel({ ...config, dropPath: 0, frames: config.kind === 'image' ? 1 : config.frames }, seed);
  const expected = outputsOf(model, crop, seed);
  native.memoryGuard(true);
  const found = withPlugins(plugins, () => outputsOf(model, crop, seed));
  native.memoryGuard(false);
  model.dispose();
  return compare(found, expected, `${timeSteps(config)} time steps, ${crop}x${crop} pixels`);
}

function compare(found: Outputs, expected: Outputs, where: string): ModelErrors {
  const logits = relativeError(found.logits, expected.logits);
  const errors = found.gradients.map(([name, values], i) => ({
    name,
    error: relativeError(values, expected.gradients[i]![1]),
  }));
  const { name, error } = errors.reduce((a, b) => (b.error > a.error ? b : a));
  if (logits <= ALLOWED.logits && error <= ALLOWED.gradient) return { logits, gradient: error, worst: name };
  throw new Error(
    `the model (${where}) gives other results with the plugin: logits differ by ${logits.toExponential(1)}, the gradient of ${name} by ${error.toExponential(1)}`,
  );
}
