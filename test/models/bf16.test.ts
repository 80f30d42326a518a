/** Networks in bf16: the way of f32 within bf16's roundings, forward, backward and over a run; and what is refused. */
import { backward, noGrad } from '../../src/core/autograd';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { fillParameter } from '../../src/formats/reference';
import { MorphMLP } from '../../src/models/morphmlp';
import type { MorphMlpConfig } from '../../src/models/config';
import type { Precision } from '../../src/core/native';
import { add, cast, crossEntropy, linear, softCrossEntropy } from '../../src/ops';
import { AdamW, clipGradNorm, parameterGroups } from '../../src/optim';
import { manualSeed } from '../../src/core/generator';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, type Tensor } from '../../src/core/tensor';
import { simpleModel } from '../support/simple_model';
import { ROUNDING } from '../../src/bench/op_cases/bf16';

const config: MorphMlpConfig = {
  ...{ kind: 'video', layers: [1, 1, 1, 1], frames: 4, embedDims: [8, 8, 12, 12], segmentDim: [4, 4, 4, 4] },
  ...{ mlpRatio: 3, qkvBias: true, dropPath: 0, numClasses: 5 },
};
/** Allowed distance of bf16 from f32 in roundings (L2): about the square root of their number. */
const [LOGITS, GRADIENTS] = [6, 12];
const size = [2, 3, 4, 32, 32];

function network(precision: Precision, changes: Partial<MorphMlpConfig> = {}): MorphMLP {
  manualSeed(11);
  const model = new MorphMLP({ ...config, ...changes });
  for (const [name, t] of model.namedTensors()) t.copyFrom(fillParameter(name, t.shape));
  model.precision = precision;
  return model;
}

const clip = (seed: number): Tensor => tensor(uniform(seed, 2 * 3 * 4 * 32 * 32), size);

/** Logits, and all gradients as one vector: of a step in evaluation mode, where no statistics of small batches blow roundings up. */
function pass(precision: Precision, forward: (model: MorphMLP, x: Tensor) => Tensor) {
  const model = network(precision).eval() as MorphMLP;
  const found = scope(() => {
    const logits = forward(model, clip(3));
    backward(logits, tensor(uniform(5, logits.size), logits.shape));
    return { logits: logits.floats(), dtypes: model.parameters().map((p) => p.grad!.dtype) };
  });
  const gradient = model.parameters().flatMap((p) => [...p.grad!.floats()]);
  model.dispose();
  return { ...found, gradient };
}

test('a network in bf16 is the f32 one within its roundings, its logits and gradients are f32', () => {
  const { live } = memory();
  const fused = (model: MorphMLP, x: Tensor) => model.forward(x);
  const [f32, bf16] = [pass('f32', fused), pass('bf16', fused)];
  expect(new Set(bf16.dtypes)).toEqual(new Set(['f32']));
  expect(relativeError(bf16.logits, f32.logits) / ROUNDING).toBeLessThan(LOGITS);
  expect(relativeError(bf16.gradient, f32.gradient) / ROUNDING).toBeLessThan(GRADIENTS);
  expect(bf16.logits).not.toEqual(f32.logits);
  expect(memory().live).toBe(live);
});

test('so is one of simple ops', () => {
  const simple = (model: MorphMLP, x: Tensor) => simpleModel(model, cast(x, model.precision));
  const [f32, bf16] = [pass('f32', simple), pass('bf16', simple)];
  expect(relativeError(bf16.logits, f32.logits) / ROUNDING).toBeLessThan(LOGITS);
  expect(relativeError(bf16.gradient, f32.gradient) / ROUNDING).toBeLessThan(GRADIENTS);
});

test('in evaluation the logits are near those of f32, with a backward to come and without', () => {
  // The ten logits of one clip are 2 to 7 roundings off by chance; several clips average this.
  const clips = [1, 2, 3, 4, 5, 6];
  const logits = (precision: Precision) => {
    const model = network(precision).eval() as MorphMLP;
    const each = (forward: (x: Tensor) => Tensor) => scope(() => clips.flatMap((n) => [...forward(clip(n)).floats()]));
    const found = [each((x) => model.forward(x)), each((x) => noGrad(() => model.forward(x)))];
    model.dispose();
    return found;
  };
  const [f32] = logits('f32');
  for (const bf16 of logits('bf16')) expect(relativeError(bf16, f32!) / ROUNDING).toBeLessThan(LOGITS);
});

/** The losses of a run of an image model on three batches that come again and again, with drop path and clipped gradients. */
function losses(precision: Precision, steps: number): number[] {
  const model = network(precision, { kind: 'image', frames: 1, dropPath: 0.1 }).train() as MorphMLP;
  model.recompute = 1;
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 2e-3 });
  const found = Array.from({ length: steps }, (_, step) =>
    scope(() => {
      const x = tensor(uniform(step % 3, 2 * 3 * 32 * 32), [2, 3, 1, 32, 32]);
      const loss = crossEntropy(model.forward(x), tensor(Int32Array.of(step % 3, (step + 1) % 3)));
      backward(loss);
      clipGradNorm(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    }),
  );
  expect(model.parameters().every((p) => p.dtype === 'f32')).toBe(true);
  model.dispose();
  optimizer.dispose();
  return found;
}

test('the loss of a run in bf16 follows the f32 one, and learns', () => {
  const [f32, bf16, again] = [losses('f32', 16), losses('bf16', 16), losses('bf16', 2)];
  expect(bf16.slice(0, 2)).toEqual(again);
  const apart = f32.map((loss, i) => Math.abs(loss - bf16[i]!));
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean(apart)).toBeLessThan(0.02 * mean(f32));
  expect(mean(bf16.slice(-6))).toBeLessThan(0.5 * mean(bf16.slice(0, 6)));
});

test('over 200 steps the mean loss of every 20 in bf16 is within 3% of the f32 one', () => {
  const [f32, bf16] = [losses('f32', 200), losses('bf16', 200)];
  const stretches = Array.from({ length: 10 }, (_, i) => [20 * i, 20 * i + 20] as const);
  const means = (values: number[]) => stretches.map((at) => values.slice(...at).reduce((a, b) => a + b, 0) / 20);
  const [wanted, got] = [means(f32), means(bf16)];
  expect(bf16.every(Number.isFinite)).toBe(true);
  got.forEach((mean, i) => expect(Math.abs(mean - wanted[i]!)).toBeLessThan(0.03 * wanted[i]!));
});

test('what does not take bf16 says so, and types do not mix', () => {
  scope(() => {
    const [x, h] = [ones([2, 2]), cast(ones([2, 2]), 'bf16')];
    expect(() => softCrossEntropy(h, x)).toThrow('softCrossEntropy: logits must be f32, got bf16');
    expect(() => add(h, x)).toThrow('add: a is bf16, b f32: cast one of them');
    expect(() => linear(h, h, null)).toThrow('linear: weight must be f32, got bf16');
  });
});
