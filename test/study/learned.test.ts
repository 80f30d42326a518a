import { inputSpec } from '../../src/data/input_spec';
import { noGrad } from '../../src/core/autograd';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { NORMALISATION } from '../../src/data/normalisation';
import { type Clip } from '../../src/data/types';
import { create, type MorphMLP } from '../../src/models';
import { placedBlocks, watchBlocks } from '../../src/models/watch';
import { softmax } from '../../src/ops/softmax';
import { meanPool } from '../../src/ops/mean_pool';
import { reshape } from '../../src/ops/reshape';
import { naivePlugin, withPlugin } from '../../src/core/plugins';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, type Tensor } from '../../src/core/tensor';
import { normalised } from '../../src/train/input';
import { logitsOf } from '../../src/train/views';
import { learnedSection } from '../../src/report/study/learned_section';
import { drawLearned, overlay, soften } from '../../src/report/study/learned_pictures';
import { savedMacs, switchesOf, weightsWithout, withoutPart } from '../../src/study/ablate';
import { studyLearned } from '../../src/study/learned';
import { blockSquares, matrixNorms, mixingFcs } from '../../src/study/matrices';
import { probeBlocks } from '../../src/study/probe';
import { inputGradient } from '../../src/study/saliency';
import { mcNemar, summarise, wilson } from '../../src/study/statistics';
import { describeSubject, type Subject } from '../../src/study/subject';
import { collectGarbage } from '../support/collect';

const SMALL = { frames: 4, layers: [1, 1, 2, 1], embedDims: [28, 56, 84, 196], numClasses: 5, dropPath: 0 } as const;

/** A model with random parameters, so that every branch contributes. */
function randomModel(): MorphMLP {
  const model = create('video-s', SMALL).eval();
  model.parameters().forEach((p, i) => p.copyFrom(uniform(i, p.size, 0.3, p.ndim > 1 ? 0 : 0.2)));
  return model;
}

function clipOf(seed: number, label = seed % 5, path = `clip ${seed}`): Clip {
  const pixels = Uint8Array.from(uniform(seed, 4 * 64 * 64 * 3), (u) => 128 + 100 * u);
  return { pixels, frames: 4, height: 64, width: 64, label, path };
}

const CLIPS = [1, 2, 3].map((seed) => clipOf(seed));
const model = randomModel();
afterAll(() => model.dispose());

const subject = (clips: readonly Clip[], names = ['a', 'b', 'c', 'd', 'e']): Subject => ({
  ...{ name: 'small', checkpoint: 'x.safetensors', network: model, classNames: names },
  ...{ input: inputSpec({ frames: 4, rate: 1, crop: 64, normalisation: NORMALISATION }), clips },
});

const same = (a: Float32Array, b: Float32Array): boolean => a.every((v, i) => Object.is(v, b[i]));

test('probing blocks changes no bit and reports what simple ops compute', async () => {
  const plain = logitsOf(model, CLIPS, NORMALISATION);
  const seen = new Map<string, { weights: Float32Array; xt: Float32Array }>();
  const watched = watchBlocks(
    model,
    ({ name, block }) => {
      let xt: Tensor;
      return {
        tokens: (place, tokens) => place === 'temporal' && (xt = tokens),
        weights: (weights) => {
          const expected = scope(() => noGrad(() => simpleWeights(block, xt).floats()));
          expect(relativeError(weights.floats(), expected)).toBeLessThan(1e-5);
          seen.set(name, { weights: weights.floats(), xt: xt.floats() });
        },
      };
    },
    () => logitsOf(model, CLIPS, NORMALISATION),
  );
  expect(same(watched, plain)).toBe(true);
  expect(seen.size).toBe(5);
  const { weights } = await probeBlocks(model, CLIPS, { normalisation: NORMALISATION, batch: 2 });
  for (const { block, branches } of weights) {
    const all = seen.get(block)!.weights;
    branches.forEach(({ channels }, b) => {
      const own = all.filter((_, i) => i % branches.length === b);
      expect(channels.mean).toBeCloseTo(own.reduce((x, y) => x + y, 0) / own.length, 5);
    });
    expect(branches.reduce((sum, { channels }) => sum + channels.mean, 0)).toBeCloseTo(1, 5);
  }
});

/** The softmax weights of a block's branches, from its layers one by one. */
function simpleWeights(block: MorphMLP['blocks1'][number], xt: Tensor): Tensor {
  const { norm1, fc } = block;
  if (!('chunk' in fc)) throw new Error('an ablated block');
  const outputs = fc.branches.map((_, i) => branchOf(fc, i, norm1.forward(xt)));
  const scores = fc.reweight.fc2.forward(fc.reweight.fc1.forward(meanPool(outputs), { gelu: true }));
  return softmax(reshape(scores, [xt.shape[0]!, xt.shape[4]!, outputs.length]));
}

/** One branch's output: that of the part with weight 0 for the other branches and an identity projection. */
function branchOf(fc: Extract<MorphMLP['blocks1'][number]['fc'], { chunk: number }>, i: number, x: Tensor): Tensor {
  const c = x.shape[4]!;
  const [weight, bias] = [fc.proj.weight.floats(), fc.proj.bias!.floats()];
  fc.proj.weight.copyFrom(Float32Array.from({ length: c * c }, (_, j) => Number(j % (c + 1) === 0)));
  fc.proj.bias!.copyFrom(new Float32Array(c));
  const one = (weights: Tensor) =>
    tensor(
      weights.floats().map((_, j) => Number(j % fc.branches.length === i)),
      weights.shape,
    );
  const y = fc.forward(x, one);
  fc.proj.weight.copyFrom(weight);
  fc.proj.bias!.copyFrom(bias);
  return y;
}

test('a model without its temporal part equals one whose temporal FCs are zero', () => {
  for (const stage of [null, 3]) {
    const off = withoutPart(model, { part: 'temporal', stage }, 'kept', () => logitsOf(model, CLIPS, NORMALISATION));
    const blocks = placedBlocks(model).filter((at) => stage === null || at.stage === stage);
    const silent = blocks.flatMap(({ block }) => [block.t_fc!.proj.weight, block.t_fc!.proj.bias!]);
    const before = silent.map((p) => p.floats());
    for (const p of silent) p.copyFrom(new Float32Array(p.size));
    const expected = logitsOf(model, CLIPS, NORMALISATION);
    silent.forEach((p, i) => p.copyFrom(before[i]!));
    expect(relativeError(off, expected)).toBeLessThan(1e-5);
    expect(relativeError(off, logitsOf(model, CLIPS, NORMALISATION))).toBeGreaterThan(1e-3);
  }
});

test('without a branch the fused kernels agree with simple ops with its weight at 0', () => {
  scope(() => {
    const weights = tensor(Float32Array.of(0.5, 0.3, 0.2, 1, 0, 0), [1, 2, 3]);
    expect([...weightsWithout(weights, 0, 'kept').floats()]).toEqual([...Float32Array.of(0, 0.3, 0.2, 0, 0, 0)]);
    const scaled = [...weightsWithout(weights, 0, 'renormalised').floats()];
    [0, 0.6, 0.4, 0, 0.5, 0.5].forEach((value, i) => expect(scaled[i]).toBeCloseTo(value, 6));
  });
  const plain = logitsOf(model, CLIPS, NORMALISATION);
  for (const part of ['height', 'width', 'channel'] as const) {
    const off = withoutPart(model, { part, stage: null }, 'kept', () => logitsOf(model, CLIPS, NORMALISATION));
    expect(relativeError(off, plain)).toBeGreaterThan(1e-3);
    const simple = withPlugin(naivePlugin('layer_norm'), () =>
      withoutPart(model, { part, stage: null }, 'kept', () => logitsOf(model, CLIPS, NORMALISATION)),
    );
    expect(relativeError(off, simple)).toBeLessThan(1e-5);
  }
  expect(same(logitsOf(model, CLIPS, NORMALISATION), plain)).toBe(true); // everything is restored
});

test('weights cannot be replaced if a gradient is required', () => {
  const { x, shape } = normalised(CLIPS, NORMALISATION);
  const replaced = () =>
    watchBlocks(
      model,
      () => ({ weights: (w) => weightsWithout(w, 0, 'kept') }),
      () => model.forward(tensor(x, shape)),
    );
  scope(() => expect(replaced).toThrow(/weights in place of its own have no gradient: use noGrad/));
});

test('activation norms are the root mean squares of the tokens', async () => {
  const seen: Float32Array[] = [];
  const first = model.blocks1[0]!;
  watchBlocks(
    model,
    ({ block }) => (block === first ? { tokens: (_, tokens) => void seen.push(tokens.floats()) } : null),
    () => logitsOf(model, CLIPS, NORMALISATION),
  );
  const rms = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  const [input, temporal, spatial, mlp] = seen as [Float32Array, Float32Array, Float32Array, Float32Array];
  const { activations } = await probeBlocks(model, CLIPS, { normalisation: NORMALISATION });
  const [found] = activations;
  expect(found!.input.rms).toBeCloseTo(rms(input), 4);
  expect(found!.temporal!.relative).toBeCloseTo(rms(temporal.map((v, i) => v - input[i]!)) / rms(input), 4);
  expect(found!.spatial.relative).toBeCloseTo(rms(spatial.map((v, i) => v - input[i]!)) / rms(input), 4);
  expect(found!.mlp.relative).toBeCloseTo(rms(mlp.map((v, i) => v - spatial[i]!)) / rms(spatial), 4);
});

test('the cost of a part is that of its FCs', () => {
  const size = { height: 64, width: 64 };
  const all = switchesOf(model).filter(({ stage }) => stage === null);
  expect(all.map(({ part }) => part)).toEqual(['temporal', 'height', 'width', 'channel']);
  const by = (part: (typeof all)[number]['part'], stage: number | null) => savedMacs(model, { part, stage }, size);
  for (const { part } of all)
    expect(by(part, null)).toBe([1, 2, 3, 4].reduce((sum, stage) => sum + by(part, stage), 0));
  expect(by('width', 4)).toBe(0);
  expect(by('height', 1)).toBe(2 * 16 * 16 * 28 * 28);
});

test('saliency is the derivative of the logit', () => {
  const { x, shape } = normalised([CLIPS[0]!], NORMALISATION);
  const { gradient, target, logits } = inputGradient(model, x, shape);
  expect(logits[target]).toBe(Math.max(...logits));
  const along = uniform(50, x.length);
  const at = (step: number) =>
    scope(() =>
      noGrad(
        () =>
          model
            .forward(
              tensor(
                x.map((v, i) => v + step * along[i]!),
                shape,
              ),
            )
            .floats()[target]!,
      ),
    );
  const h = 1e-2;
  const expected = (at(h) - at(-h)) / (2 * h);
  const found = gradient.reduce((sum, g, i) => sum + g * along[i]!, 0);
  expect(Math.abs(found - expected)).toBeLessThan(2e-2 * Math.abs(expected) + 1e-4);
  expect(model.parameters().every((p) => p.grad === null && p.requiresGrad)).toBe(true);
});

test('computes the norms of the blocks', () => {
  const squares = blockSquares([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], 2, 2);
  expect([...squares]).toEqual([1 + 4 + 25 + 36, 9 + 16 + 49 + 64, 81 + 100 + 169 + 196, 121 + 144 + 225 + 256]);
  const fc = mixingFcs(model).find(({ part }) => part === 'temporal')!;
  const weight = fc.fc.weight.floats(); // [28, 28], blocks of 14
  const block = Array.from({ length: 14 * 14 }, (_, i) => weight[Math.floor(i / 14) * 28 + 14 + (i % 14)]!);
  expect(matrixNorms(fc).norms[1]).toBeCloseTo(Math.sqrt(block.reduce((sum, w) => sum + w * w, 0) / 196), 6);
  const { norms, positions, channels, shares } = matrixNorms(fc);
  expect([positions, channels]).toEqual([2, 14]);
  expect(norms).toHaveLength(4);
  expect(shares.own + shares.before + shares.after).toBeCloseTo(1, 9);
});

test('a saliency overlay colours the frames where the map is large, by its sign', () => {
  const map = new Float32Array(4 * 64 * 64);
  const at = 64 * 64 + 32 * 64 + 10; // frame 1, row 32, column 10
  map[at] = 1;
  map[2 * at] = -1;
  const soft = soften(map, 4, 64, 64);
  expect(soft.indexOf(Math.max(...soft)) - at).toBeLessThan(4 * 64);
  expect(soft.subarray(0, 64 * 64).every((v) => v === 0)).toBe(true); // frame 0
  const { pixels } = overlay(CLIPS[0]!, soft);
  const rgb = (i: number) => [...pixels.subarray(3 * i, 3 * i + 3)];
  expect(rgb(at)[0]).toBeGreaterThan(rgb(at)[2]! + 50);
  expect(rgb(2 * at)[2]).toBeGreaterThan(rgb(2 * at)[0]! + 50);
  const [r, g, b] = rgb(0);
  expect(Math.max(r!, g!, b!) - Math.min(r!, g!, b!)).toBeLessThanOrEqual(1); // grey
});

test('statistics agree with published tables', () => {
  expect(summarise([3, 1, 2])).toEqual({ min: 1, q1: 1.5, median: 2, q3: 2.5, max: 3, mean: 2 });
  expect(wilson(8, 10).map((v) => v.toFixed(4))).toEqual(['0.4902', '0.9433']);
  expect(mcNemar(6, 0)).toBeCloseTo(2 / 64, 9);
  expect(mcNemar(2, 2)).toBe(1);
});

test('a study leaks nothing, and its section escapes names and paths', async () => {
  const hostile = clipOf(9, 1, '<script>alert(1)</script>"');
  const one = subject([hostile, ...CLIPS], ['<b>', '&amp;', "'", '"', '</style>']);
  await studyLearned(one, { others: 'kept', copies: 0 }); // weights used twice are cached in packed form
  await collectGarbage(); // garbage of earlier tests
  const { live } = memory();
  const { learned, maps } = await studyLearned(one, { others: 'renormalised', copies: 2 });
  const pictures = await drawLearned(one, { learned, maps }, { blocks: ['blocks2.0'], budget: 50_000 });
  expect(memory().live).toBe(live);
  expect(learned.ablation!.off).toHaveLength(switchesOf(model).length);
  expect(pictures.leftOut.length).toBeGreaterThan(0);
  expect(pictures.matrices[0]!.name).toMatch(/^blocks2\.0\./);
  await expect(drawLearned(one, { learned, maps }, { blocks: ['blocks9.0'] })).rejects.toThrow(
    /blocks9\.0 is not one of blocks1\.0/,
  );
  const study = { model: describeSubject(one), machine: {} as never, learned: { ...learned, pictures } };
  const { markup } = learnedSection(study)!.body;
  expect(markup).not.toMatch(/<script|<b>|<\/style>/);
  expect(markup).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;');
  expect(JSON.parse(JSON.stringify(study)) as object).not.toHaveProperty('learned.pictures');
  const none = await studyLearned(subject([]), { others: 'kept', copies: 0 });
  expect(none.learned).toMatchObject({ clips: 0, weights: null, saliency: null, ablation: null });
});
