import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward, noGrad } from '../../src/core/autograd';
import { dryRun } from '../../src/core/dry_run';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';
import { digestError, fillModel, relativeError, value, type Digest } from '../../src/formats/reference';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { SemanticFpn } from '../../src/models/semantic_fpn';
import { pixelCrossEntropy } from '../../src/ops/pixel_cross_entropy';
import { AdamW, gradNorm, parameterGroups } from '../../src/optim';

interface Reference {
  config: Record<string, never>;
  x: [number, number, number, number, number];
  class_weights: number[];
  params: number;
  eval_logits: Digest;
  train_logits: Digest;
  train_loss: number;
  grads: Record<string, Digest>;
  steps: { rate: number; eps: number; weight_decay: number; losses: number[]; final: Record<string, Digest> };
}

/** Made by make.py beside it: the same network in PyTorch and float64. Its picture pads the chunks of stages 2 and 4. */
const fixture = path.join(__dirname, '..', 'fixtures', 'segmentation', 'semantic_fpn.json');
const reference = JSON.parse(readFileSync(fixture, 'utf8')) as Reference;

const CONFIG: MorphMlpConfig = {
  ...{ kind: 'image', task: 'segment', layers: [1, 1, 1, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9] },
  ...{ frames: 1, numClasses: 5, mlpRatio: 2, qkvBias: true, dropPath: 0 },
};

function model(): SemanticFpn {
  const made = new SemanticFpn(CONFIG);
  made.head.dropout = 0;
  fillModel(made.namedTensors());
  return made;
}

/** Errors of tensors against digests, of those beyond the tolerance. */
function beyond(
  tolerance: number,
  key: string,
  found: readonly (readonly [string, Tensor])[],
  of: Record<string, Digest>,
) {
  expect(found.map(([name]) => name).filter((name) => !(name in of))).toEqual([]);
  return found
    .map(([name, t]) => {
      const { norm, proj, samples } = digestError(t.floats(), of[name]!, `${key}${name}`, t.shape);
      return [name, Math.max(norm, proj, samples)] as const;
    })
    .filter(([, error]) => !(error <= tolerance));
}

const input = (name: string): Tensor => tensor(value(name, reference.x), reference.x);

/** Classes 0 to 4, and 255 for a sixth of the pixels. */
function labels(name: string): Tensor {
  const shape = [reference.x[0], reference.x[3], reference.x[4]];
  const drawn = Uint8Array.from(value(name, shape), (v) => Math.floor((v + 1) * 3));
  return tensor(
    drawn.map((v) => (v === 5 ? 255 : v)),
    shape,
  );
}

const lossOf = (logits: Tensor, truth: Tensor): Tensor =>
  pixelCrossEntropy(logits, truth, tensor(reference.class_weights)).loss;

/** Biases before a BatchNorm: their true gradient is zero. */
const beforeNorm = /^(patch_embed1\.proj\d|head\.levels.*\.conv)\.bias$/;
/** What AdamW makes of such gradients. */
const undefinedAfterSteps =
  /^(patch_embed1\.(proj\d\.bias|norm\d\.running_mean)|head\.levels.*\.(conv\.bias|norm\.running_mean))$/;

test('logits, loss and gradients agree with PyTorch in float64', () => {
  const { live } = memory();
  const net = model();
  expect(net.parameters().reduce((sum, p) => sum + p.size, 0)).toBe(reference.params);
  scope(() => {
    const evaluated = noGrad(() => net.eval().forward(input('segment.x')));
    expect(beyond(2e-6, 'segment/', [['eval', evaluated]], { eval: reference.eval_logits })).toEqual([]);
    const logits = net.train().forward(input('segment.x'));
    const loss = lossOf(logits, labels('segment.t'));
    backward(loss);
    expect(beyond(2e-6, 'segment/', [['train', logits]], { train: reference.train_logits })).toEqual([]);
    expect(relativeError([loss.item()], [reference.train_loss])).toBeLessThan(2e-6);
    const gradients = net.namedParameters().filter(([name]) => !beforeNorm.test(name));
    expect(
      beyond(
        2e-5,
        'segment/grad.',
        gradients.map(([name, p]) => [name, p.grad!]),
        reference.grads,
      ),
    ).toEqual([]);
    const [biases, all] = [net.namedParameters().filter(([name]) => beforeNorm.test(name)), net.parameters()];
    expect(gradNorm(biases.map(([, p]) => p)) / gradNorm(all)).toBeLessThan(1e-5);
  });
  net.dispose();
  for (const p of net.parameters()) p.grad?.dispose();
  expect(memory().live).toBe(live);
});

test('three steps of AdamW agree with PyTorch in float64', () => {
  const net = model().train() as SemanticFpn;
  const { rate, eps, weight_decay, losses, final } = reference.steps;
  const optimizer = new AdamW(parameterGroups(net.parameters(), weight_decay), { lr: rate, eps });
  const found = losses.map((_, step) =>
    scope(() => {
      const loss = lossOf(net.forward(input(`segment.x${step}`)), labels(`segment.t${step}`));
      backward(loss);
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    }),
  );
  expect(relativeError(found, losses)).toBeLessThan(5e-6);
  const named = net.namedTensors().filter(([name]) => !undefinedAfterSteps.test(name));
  expect(beyond(2e-5, 'segment/final.', named, final)).toEqual([]);
  net.dispose();
  optimizer.dispose();
});

test.each([
  ['image-t', 27.1],
  ['image-s', 44.17],
  ['image-b', 61.6],
])('%s has %sM parameters', (name, millions) => {
  const made = dryRun(() => {
    const net = new SemanticFpn({ ...VARIANTS[name]!.config, numClasses: 150, task: 'segment' });
    return net.parameters().reduce((sum, p) => sum + p.size, 0);
  });
  expect(made / 1e6).toBeCloseTo(millions, 1);
});

test('logits have a quarter of any picture, f32 also for bf16; the dropout draws the same for every size', () => {
  scope(() => {
    const net = new SemanticFpn(CONFIG);
    for (const precision of ['f32', 'bf16'] as const) {
      net.precision = precision;
      const logits = noGrad(() => net.forward(zeros([2, 3, 33, 50])));
      expect([logits.dtype, ...logits.shape]).toEqual(['f32', 2, 9, 13, 5]);
    }
    net.dispose();
  });
});

test('a frozen backbone leaves pyramid and head to learn', () => {
  const net = new SemanticFpn(CONFIG).train() as SemanticFpn;
  net.freezeBackbone(true);
  const learning = net.namedParameters().filter(([, p]) => p.requiresGrad);
  expect(new Set(learning.map(([name]) => name.split('.')[0]))).toEqual(new Set(['neck', 'head']));
  net.dispose();
});

test.each([
  [{ kind: 'video', frames: 4 } as const, 'model: segmentation is of images: give an image model, such as image-t'],
  [{ numClasses: 256 }, 'model: segmentation has at most 255 classes, got 256'],
])('%j is refused', (other, message) => {
  expect(() => new SemanticFpn({ ...CONFIG, ...other })).toThrow(message);
});
