import { backward } from '../../core/autograd';
import { relativeError } from '../op_cases/compare';
import { uniform } from '../op_cases/random';
import { timeSteps, type MorphMlpConfig } from '../../models/config';
import { MorphMLP } from '../../models/morphmlp';
import { native } from '../../core/native';
import { withPlugin, type Plugin } from '../../core/plugins';
import { scope } from '../../core/scope';
import { tensor } from '../../core/tensor';
import type { Agreement } from '../kernels/protocol';

/** Both sides are f32 and add in another order; DESIGN allows 2e-6 and 2e-5 against float64. */
const ALLOWED = { logits: 1e-5, gradient: 1e-4 };

interface Outputs {
  logits: Float32Array;
  gradients: [name: string, values: Float32Array][];
}

/** Logits and all gradients of a model for one clip, without drop path and with running statistics: nothing is drawn. */
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

/** Random weights everywhere: at its start a temporal part is silent, and a wrong kernel in it would go unseen. */
function randomModel(config: MorphMlpConfig, seed: number): MorphMLP {
  const model = new MorphMLP(config);
  model.parameters().forEach((p, i) => {
    const width = p.ndim > 1 ? p.size / p.shape[0]! : 12; // variance 1/3 · scale² · width = 1 keeps the tokens' size
    p.copyFrom(uniform(seed + 10 + i, p.size, Math.sqrt(3 / width), p.ndim > 1 ? 0 : 0.5));
  });
  return model;
}

const withPlugins = <T>(plugins: readonly Plugin[], body: () => T): T =>
  plugins.reduce<() => T>((inner, plugin) => () => withPlugin(plugin, inner), body)();

/**
 * Holds a model in which plugins stand in for ops to the same model with our kernels: logits and every parameter's gradient, on one random
 * clip, in memory that shows what a plugin touches outside of its tensors.
 * @throws when they do not agree
 */
export function holdModel(config: MorphMlpConfig, crop: number, plugins: readonly Plugin[], seed: number): Agreement {
  const model = randomModel({ ...config, dropPath: 0, frames: config.kind === 'image' ? 1 : config.frames }, seed);
  const expected = outputsOf(model, crop, seed);
  native.memoryGuard(true);
  const found = withPlugins(plugins, () => outputsOf(model, crop, seed));
  native.memoryGuard(false);
  model.dispose();
  return compare(found, expected, `${timeSteps(config)} time steps, ${crop}x${crop} pixels`);
}

function compare(found: Outputs, expected: Outputs, where: string): Agreement {
  const logits = relativeError(found.logits, expected.logits);
  const errors = found.gradients.map(([name, values], i) => ({
    name,
    error: relativeError(values, expected.gradients[i]![1]),
  }));
  const { name, error } = errors.reduce((a, b) => (b.error > a.error ? b : a));
  if (logits <= ALLOWED.logits && error <= ALLOWED.gradient) return { logits, gradient: error, worst: name };
  throw new Error(
    `the model (${where}) is another with it: logits differ by ${logits.toExponential(1)}, the gradient of ${name} by ${error.toExponential(1)}`,
  );
}
