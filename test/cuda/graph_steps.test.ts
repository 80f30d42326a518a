/** Training steps that are replayed as CUDA graphs are the launched ones, bit for bit. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { uniform } from '../../src/bench/op_cases/random';
import { Loader, type LoaderOptions } from '../../src/data/loader';
import { NORMALISATION } from '../../src/data/normalisation';
import { UnreadableClip, type Clip, type Dataset } from '../../src/data/types';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { fillParameter } from '../../src/formats/reference';
import type { MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { native, type Precision } from '../../src/core/native';
import { AdamW, MovingAverage, parameterGroups, SGD, type Optimizer } from '../../src/optim';
import { manualSeed, rngState } from '../../src/core/generator';
import { memory } from '../../src/core/runtime';
import type { Tensor } from '../../src/core/tensor';
import { Run } from '../../src/train/run';
import { Trainer, type TrainerEvents, type TrainerOptions } from '../../src/train/trainer';
import { collectGarbage } from '../support/collect';
import { quickRun } from '../support/run_options';

const config: MorphMlpConfig = {
  ...{ kind: 'image', layers: [1, 1, 1, 1], frames: 1, embedDims: [8, 8, 12, 12], segmentDim: [4, 4, 4, 4] },
  ...{ mlpRatio: 3, qkvBias: true, dropPath: 0.4, numClasses: 5 },
};
const BATCH = 2;

/** Clips of noise, of which some cannot be read. */
const noise = (length: number, frames: number, unreadable: readonly number[] = []): Dataset => ({
  length,
  classNames: ['a', 'b', 'c', 'd', 'e'],
  name: (i) => `clip ${i}`,
  label: (i) => i % 5,
  describe: () => ({}),
  clip(i): Promise<Clip> {
    if (unreadable.includes(i)) return Promise.reject(new UnreadableClip('noise alone'));
    const pixels = Uint8Array.from(uniform(i, frames * 32 * 32 * 3, 127), (v) => 128 + v);
    return Promise.resolve({ pixels, frames, height: 32, width: 32, label: i % 5, path: `clip ${i}` });
  },
});

/** Settings of one kind of run. */
interface Kind {
  clips: number;
  unreadable?: readonly number[];
  loading?: Partial<Omit<LoaderOptions, 'normalisation'>>;
  training?: Partial<TrainerOptions>;
  config?: Partial<MorphMlpConfig>;
  optimizer?: (parameters: readonly Tensor[]) => Optimizer;
  ema?: number;
  recompute?: number;
  precision?: Precision;
}

const adamw = (parameters: readonly Tensor[]) => new AdamW(parameterGroups(parameters, 0.05), { lr: 1e-3 });

function start(kind: Kind, cudaGraph: boolean, events: TrainerEvents = {}) {
  manualSeed(2 ** 40 + 11);
  const model = new MorphMLP({ ...config, ...kind.config }).nameTensors();
  for (const [name, t] of model.namedTensors()) t.copyFrom(fillParameter(name, t.shape));
  Object.assign(model, { recompute: kind.recompute ?? 0, precision: kind.precision ?? 'f32' });
  const optimizer = (kind.optimizer ?? adamw)(model.parameters());
  const average = kind.ema ? new MovingAverage(model.namedParameters(), kind.ema) : null;
  const loading = { batchSize: BATCH, seed: 3, shuffle: false, normalisation: NORMALISATION, ...kind.loading };
  const schedule = { baseLr: 1e-3, endLr: 1e-5, warmupStartLr: 1e-4, warmupEpochs: 1, maxEpoch: 2 };
  const trainer = new Trainer(
    {
      ...{
        model,
        optimizer,
        average,
        clipNorm: 0.5,
        labelSmoothing: 0.1,
        evalEvery: 1,
        cudaGraph,
        clipsPerBatch: BATCH,
      },
      train: new Loader(noise(kind.clips, model.config.frames, kind.unreadable), loading),
      val: new Loader(noise(3, model.config.frames), {
        batchSize: 2,
        seed: 0,
        shuffle: false,
        normalisation: NORMALISATION,
      }),
      schedule: { ...schedule, cosineAfterWarmup: true },
      ...kind.training,
    },
    events,
  );
  const dispose = () => {
    trainer.dispose();
    optimizer.zeroGrad();
    for (const one of [model, optimizer, average]) one?.dispose();
  };
  return { trainer, model, optimizer, average, dispose };
}

const bits = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

/** All that a run leaves, bit for bit, and how often a graph was replayed. */
async function train(kind: Kind, cudaGraph: boolean) {
  await collectGarbage();
  const replay = jest.spyOn(native, 'cudaReplay');
  const { live } = memory('cuda');
  const losses: number[] = [];
  const { trainer, model, optimizer, average, dispose } = start(kind, cudaGraph, {
    step: ({ loss, learningRate }) => void losses.push(loss, learningRate),
  });
  await trainer.run(() => undefined);
  const tensors = model.namedTensors().map(([name, t]) => [name, bits(t.floats())]);
  const { step, moments } = optimizer.stateDict();
  const kept = [...moments, ...(average?.stateDict() ?? [])].map(([name, values]) => [name, bits(values)]);
  const history = trainer.state.history.map((record) => ({ ...record, seconds: 0 }));
  const evaluation = trainer.lastEvaluation!.confusion;
  const replays = replay.mock.calls.length;
  replay.mockRestore();
  dispose();
  expect(memory('cuda').live).toBe(live);
  return { left: { losses, tensors, step, kept, history, evaluation, random: rngState() }, replays };
}

const rich: Kind = {
  ...{ clips: 12, unreadable: [5, 11], ema: 0.9 },
  loading: { group: 2, dropLast: true, mix: { alpha: 0.8, cutmixAlpha: 1, prob: 1, switchProb: 0.5, smoothing: 0.1 } },
  training: { accumulate: 2 },
};

// A step is three replays, of which the first step has none, nor one that begins with a batch which is not full.
test.each<[string, Kind, number]>([
  ['AdamW, and an odd last batch', { clips: 7, ema: 0.9 }, 2 * 3 + 3 * 3],
  ['micro-batches that are mixed, some with clips missing', rich, 3 + (4 + 3)],
  [
    'SGD without clipping, with blocks recomputed',
    {
      ...{ clips: 6, recompute: 2, training: { clipNorm: 0 } },
      optimizer: (parameters) => new SGD(parameters, { lr: 1e-2, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
    },
    2 * 3 + 3 * 3,
  ],
  ['bf16, of video', { clips: 4, precision: 'bf16', config: { kind: 'video', frames: 4 } }, 3 + 2 * 3],
  ['simple ops', { clips: 4, config: { ablation: { weighting: 'sum', branches: 'H+W' } } }, 3 + 2 * 3],
])('%s: replayed steps leave what launched ones leave', async (_, kind, replays) => {
  const [launched, replayed] = [await train(kind, false), await train(kind, true)];
  expect(launched.left.losses.every(Number.isFinite)).toBe(true);
  expect(replayed.left).toEqual(launched.left);
  expect([launched.replays, replayed.replays]).toEqual([0, replays]);
});

test('a NaN stops a replayed run before it reaches the weights, and the op and the layer are named', async () => {
  let steps = 0;
  let before: Float32Array | null = null;
  const run = start({ clips: 8 }, true, {
    step: () => {
      if (++steps < 3) return;
      const parameters = run.model.namedParameters();
      const found = parameters.find(([name]) => name === 'blocks3.0.mlp.fc1.bias')![1];
      found.copyFrom(new Float32Array(found.size).fill(NaN));
      before = run.model.head.weight.floats();
    },
  });
  await expect(run.trainer.run(() => undefined)).rejects.toThrow(
    /^forward of \w+ in .*blocks3\.0\.mlp.*: \d+ of \d+ elements are NaN or infinite/,
  );
  expect(steps).toBe(3);
  expect(run.model.head.weight.floats()).toEqual(before);
  run.dispose();
});

test('what cannot be recorded ends the run in a sentence that names the op', async () => {
  await collectGarbage();
  const { live } = memory('cuda');
  const { trainer, model, dispose } = start({ clips: 8 }, true);
  const forward = model.forward.bind(model);
  model.forward = (x) => {
    const logits = forward(x);
    logits.floats();
    return logits;
  };
  await expect(trainer.run(() => undefined)).rejects.toThrow(
    'the training step cannot be recorded as a CUDA graph: bufferRead: a copy to the host cannot be recorded into a CUDA graph (in linear_forward)',
  );
  expect(trainer.state.batch).toBe(1);
  dispose();
  await collectGarbage();
  expect(memory('cuda').live).toBe(live);
});

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a run with graphs that is stopped and resumed is the uninterrupted run without', async () => {
  const options = (name: string, graph: boolean) =>
    quickRun(path.join(folder, name), {
      ...{ 'RUN.DEVICE': 'cuda', 'RUN.CUDA_GRAPH': graph, 'RUN.TRAIN_DATA': 'motion:6', 'RUN.VAL_DATA': 'motion:2' },
      ...{ 'MORPH.EMBED_DIMS': [8, 8, 12, 12], 'MORPH.SEGMENT_DIM': [4, 4, 4, 4], 'TRAIN.BATCH_SIZE': 2 },
    });
  const finish = async (given: ReturnType<typeof options>, stopAfter = Infinity) => {
    let steps = 0;
    const run: Run = new Run(given, { step: () => (++steps === stopAfter ? run.trainer.stop() : undefined) });
    await run.train();
    run.dispose();
    const { tensors, optimizer, meta } = loadCheckpoint(run.files.last);
    const states = [...tensors, ...optimizer].map(([name, { data }]) => [name, bits(data as Float32Array)]);
    return { states, meta: JSON.stringify(meta).replace(/"seconds":[\d.e-]+/g, '') };
  };
  const whole = await finish(options('whole', false));
  await finish(options('stopped', true), 4);
  expect(await finish({ ...options('stopped', true), resume: 'must' })).toEqual(whole);
});
