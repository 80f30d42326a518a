/** What fine-tuning adds to a training: frozen layers, rates by layer, weights of classes, an early end, hints. */
import { backward } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { NORMALISATION } from '../../src/data/normalisation';
import type { Dataset } from '../../src/data/types';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { labelTargets, softCrossEntropy, weighTargets } from '../../src/ops/cross_entropy';
import { AdamW } from '../../src/optim';
import { learningHints } from '../../src/train/hints';
import { layerGroups, layersFromHead } from '../../src/train/layer_rates';
import { weightsOf } from '../../src/train/run';
import { Trainer, type EpochRecord } from '../../src/train/trainer';
import { SMALL_NETWORK } from '../support/small_network';

const clips = new MotionDataset({ seed: 1, length: 8, size: 32, frames: 16 });

function makeModel(): MorphMLP {
  seedInit(2);
  return new MorphMLP({ ...SMALL_NETWORK, kind: 'video', frames: 16, numClasses: 8, dropPath: 0.3 });
}

/** Names of the tensors that differ from `before`. */
const changed = (model: MorphMLP, before: ReadonlyMap<string, Float32Array>): Set<string> =>
  new Set(
    model.namedTensors().flatMap(([name, t]) => (t.floats().every((x, i) => x === before.get(name)![i]) ? [] : [name])),
  );

const copies = (model: MorphMLP): Map<string, Float32Array> =>
  new Map(model.namedTensors().map(([name, t]) => [name, t.floats()]));

test.each([0, 5])(
  'the first epochs change the head alone, with %i blocks recomputed; later ones all',
  async (recompute) => {
    const model = makeModel();
    model.recompute = recompute;
    const optimizer = new AdamW(model.parameters(), { lr: 1e-3, weightDecay: 0.1 });
    const schedule = {
      baseLr: 1e-3,
      endLr: 1e-3,
      warmupStartLr: 1e-3,
      warmupEpochs: 0,
      maxEpoch: 2,
      cosineAfterWarmup: false,
    };
    const train = new Loader(clips, { batchSize: 4, seed: 0, shuffle: true, normalisation: NORMALISATION });
    const trainer = new Trainer({
      ...{ model, optimizer, train, schedule, val: null },
      ...{ labelSmoothing: 0, clipNorm: 1, evalEvery: 1, freezeEpochs: 1 },
    });
    const names: Set<string>[] = [];
    let before = copies(model);
    await trainer.run(() => {
      names.push(changed(model, before));
      before = copies(model);
    });
    expect(names[0]).toEqual(new Set(['head.weight', 'head.bias']));
    const all = model.namedTensors().map(([name]) => name);
    expect(all.filter((name) => !names[1]!.has(name) && !name.endsWith('num_batches_tracked'))).toEqual([]);
    trainer.dispose();
    optimizer.dispose();
    model.dispose();
  },
);

test('layers are counted from the head, and rates fall with them', () => {
  const model = makeModel();
  const [blocks] = [SMALL_NETWORK.layers.reduce((a, b) => a + b, 0)];
  const layers = layersFromHead(model);
  const layerOf = (name: string) => [...layers].find(([one]) => one.startsWith(name))![1];
  expect([layerOf('head.'), layerOf('norm.'), layerOf('patch_embed1.'), layerOf('blocks1.0.')]).toEqual([
    0,
    1,
    blocks,
    blocks,
  ]);
  expect(layerOf('patch_embed4.')).toBe(layerOf('blocks4.0.'));
  expect(layerOf(`blocks4.${SMALL_NETWORK.layers[3] - 1}.`)).toBe(1);
  const groups = layerGroups(model, { lr: 2, decay: 0.5, weightDecay: 0.1, decayAll: false });
  const optimizer = new AdamW(groups);
  optimizer.setLr(1);
  const names = new Map(model.namedParameters().map(([name, p]) => [p, name]));
  for (const { params, lr, weightDecay } of optimizer.groups)
    for (const p of params) {
      expect(lr).toBeCloseTo(0.5 ** layers.get(names.get(p)!)!, 12);
      expect(weightDecay).toBe(p.ndim > 1 ? 0.1 : 0);
    }
  expect(optimizer.groups.flatMap(({ params }) => params)).toHaveLength(model.parameters().length);
  optimizer.dispose();
  model.dispose();
});

test('a weighted clip counts in loss and gradient by the weight of its class', () => {
  const [labels, weights] = [[2, 0, 2, 1], Float32Array.of(0.5, 3, 1.25)];
  const logits = Array.from({ length: 12 }, (_, i) => Math.sin(3 * i + 1) * 2);
  const smoothing = 0.1;
  const rows = labels.map((label, row) => {
    const own = logits.slice(row * 3, row * 3 + 3);
    const total = own.reduce((sum, x) => sum + Math.exp(x), 0);
    const targets = own.map((_, c) => (smoothing / 3 + (c === label ? 1 - smoothing : 0)) * weights[c]!);
    const mass = targets.reduce((a, b) => a + b);
    const loss = own.reduce((sum, x, c) => sum - targets[c]! * (x - Math.log(total)), 0);
    return { loss, gradient: own.map((x, c) => (mass * (Math.exp(x) / total) - targets[c]!) / 4) };
  });
  scope(() => {
    const x = tensor(logits, [4, 3], { requiresGrad: true });
    const targets = weighTargets(labelTargets(labels, 3, smoothing), weights);
    const loss = softCrossEntropy(x, tensor(targets, [4, 3]));
    backward(loss);
    expect(loss.item()).toBeCloseTo(rows.reduce((sum, row) => sum + row.loss, 0) / 4, 5);
    const gradient = [...x.grad!.floats()];
    expect(gradient.some(Number.isNaN)).toBe(false);
    rows.flatMap((row) => row.gradient).forEach((value, i) => expect(gradient[i]).toBeCloseTo(value, 6));
  });
});

test('class weights have the mean 1 over all clips, and leave classes without clips out', () => {
  const labels = [0, 0, 0, 0, 2, 2, 3, 3, 3, 3, 3, 3];
  const dataset = {
    length: labels.length,
    label: (i: number) => labels[i]!,
    classNames: [...'abcd'],
  } as unknown as Dataset;
  const weights = weightsOf(dataset);
  expect([...weights]).toEqual([1, 0, 2, Math.fround(12 / 18)]);
  expect(labels.reduce((sum, label) => sum + weights[label]!, 0) / labels.length).toBeCloseTo(1, 6);
});

describe('balanced epochs', () => {
  const labels = [...Array<number>(9).fill(0), ...Array<number>(2).fill(1), ...Array<number>(5).fill(2)];
  const dataset = { length: 16, label: (i: number) => labels[i]!, classNames: [...'abc'] } as unknown as Dataset;
  const loader = new Loader(dataset, {
    ...{ batchSize: 4, seed: 3, shuffle: true, balanced: true, normalisation: NORMALISATION },
  });

  test('have every class equally often, and all its items before one again', () => {
    const counts = [0, 0, 0];
    for (const i of loader.order(0)) counts[labels[i]!]!++;
    expect(counts).toEqual([6, 5, 5]);
    const seen = [0, 1, 2].map((epoch) => [...loader.order(epoch)].filter((i) => labels[i] === 0));
    expect(new Set(seen.flat()).size).toBe(9);
    expect(new Set(seen[0]).size).toBe(6);
  });

  test('are shuffled by seed and epoch alone', () => {
    expect([...loader.order(1)]).toEqual([...loader.order(1)]);
    expect([...loader.order(1)]).not.toEqual([...loader.order(2)]);
    expect([...loader.order(0)].map((i) => labels[i])).not.toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
  });
});

const record = (epoch: number, trainTop1: number, valTop1: number | null, valLoss = 1): EpochRecord => ({
  ...{ epoch, learningRate: 0, trainLoss: 1, trainTop1, valTop1, valTop5: 1, seconds: 1 },
  valLoss: valTop1 === null ? null : valLoss,
});

test.each([
  [0, 9, false],
  [3, 4, false],
  [3, 5, true],
  [2, 4, true],
])('patience %i ends after epoch %i: %p', (patience, epochs, ends) => {
  const schedule = { maxEpoch: 10 };
  const trainer = new Trainer({ schedule, patience, val: {}, train: {} } as ConstructorParameters<typeof Trainer>[0]);
  const accuracies = [0.2, 0.5, 0.4, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2];
  trainer.state.history = accuracies.slice(0, epochs).map((value, i) => record(i + 1, 1, value));
  trainer.state.epoch = epochs;
  expect([trainer.stalled, trainer.finished]).toEqual([ends, ends]);
});

test('hints name clips known by heart and a rising loss, and nothing else', () => {
  expect(learningHints([record(1, 0.5, 0.45), record(5, 0.6, 0.55)])).toEqual([]);
  expect(learningHints([])).toEqual([]);
  expect(learningHints([record(5, 0.9, null)])).toEqual([]);
  expect(learningHints([record(1, 0.5, 0.5), record(4, 0.91, 0.5)])).toEqual([]);
  const [heart, ...none] = learningHints([record(1, 0.5, 0.5), record(5, 0.91, 0.5)]);
  expect([heart, none]).toEqual([expect.stringMatching(/^training accuracy 91.0%, validation 50.0%: /), []]);
  const rising = learningHints([record(1, 0.5, 0.6, 1), record(6, 0.7, 0.55, 1.6)]);
  expect(rising).toEqual([expect.stringMatching(/^the validation loss rose from 1.00 in epoch 1 to 1.60/)]);
});
