import vm from 'node:vm';
import { SWITCHES } from '../../src/models/ablation';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { countOps } from '../../src/models/flops';
import { MorphMLP } from '../../src/models/morphmlp';
import { Philox } from '../../src/core/philox';
import { pageModules } from '../../src/report/page_modules';
import { measuredOf } from '../../src/report/study/what_if_section';
import * as library from '../../src/study/what_if';
import type { Change, Spatial } from '../../src/study/what_if';
import { sampleStudy } from './sample';

const { changedConfig, compareSpatial, countChanged, scaledChannels, stageShapes, unchanged, whatIf } = library;

/** The functions as the page has them. */
function pageFunctions(): typeof library {
  const context = vm.createContext({});
  vm.runInContext(pageModules(['study/what_if']), context);
  return (context['library'] as (id: string) => typeof library)('study/what_if');
}
const page = pageFunctions();
const random = new Philox(7, 0);
const pick = <T>(all: readonly T[]): T => all[random.int(all.length)]!;
const divisors = (n: number) => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

/** A random change of a network that its switches allow. */
function randomChange({ embedDims }: MorphMlpConfig): Change {
  const spatial: Spatial = pick([...SWITCHES.spatial, 'attention']);
  const own = spatial === 'morph_fc';
  return {
    chunks: embedDims.map((c) => 2 * pick(divisors(c / 2))) as unknown as Change['chunks'],
    ...{ width: pick([0.25, 0.5, 1, 1.5]), frames: pick([2, 5, 8, 16, 32]), size: pick([32, 64, 96, 100]) },
    groupDim: own ? pick(SWITCHES.groupDim) : 'C/L',
    branches: own ? pick(SWITCHES.branches) : 'H+W+C',
    weighting: own ? pick(SWITCHES.weighting) : 'softmax',
    spatial,
  };
}

const BASES = ['quickstart', 'quickstart-image', 'video-2m'];
const changes = Array.from({ length: 60 }, (_, i) => {
  const base = VARIANTS[BASES[i % BASES.length]!]!.config;
  return [base, randomChange(base)] as const;
});

test('the page counts 60 random networks as countOps and as the real models do', () => {
  let built = 0;
  for (const [base, change] of changes) {
    const { all } = page.whatIf(base, change);
    expect(Number.isFinite(all.macs) && Number.isFinite(all.params)).toBe(true);
    if (change.spatial === 'attention') continue; // counted, not built: see below
    const config = changedConfig(base, change);
    const counted = countOps(config, { height: change.size, width: change.size });
    expect({ macs: all.macs, params: all.params }).toEqual({ macs: counted.macs, params: counted.params });
    const model = new MorphMLP(config);
    expect(all.params).toBe(model.parameters().reduce((sum, p) => sum + p.size, 0));
    model.dispose();
    built++;
  }
  expect(built).toBeGreaterThan(30);
});

test('attention costs what its formula says, with time mixing and the MLP kept', () => {
  for (const name of ['image-t', 'quickstart', 'video-s']) {
    const { config, crop } = VARIANTS[name]!;
    const plain = countOps(config, { height: crop, width: crop });
    const { macs, params } = countChanged(config, { ...unchanged(config, crop), spatial: 'attention' });
    let [expected, weights] = [plain.macs, plain.params];
    const steps = config.kind === 'video' ? Math.ceil(config.frames / 2) : 1;
    config.embedDims.forEach((c, i) => {
      const n = (crop / 4 / 2 ** i) ** 2;
      const branches = i === 3 ? 2 : 3;
      const [tokens, blocks] = [n * steps, config.layers[i]!];
      const reweight = (c * c) / 4 + (c / 4) * c * branches;
      // q, k, v and projection; scores and their product with the values
      expected += blocks * (4 * tokens * c * c + 2 * steps * n * n * c - (branches + 1) * tokens * c * c - reweight);
      weights += blocks * (4 * (c * c + c) - (branches + 1) * (c * c + c) - reweight - c / 4 - c * branches);
    });
    expect({ name, macs, params }).toEqual({ name, macs: expected, params: weights });
  }
});

test('convolutions cost what table 10 of the paper says', () => {
  const { config, crop } = VARIANTS['image-t']!;
  const costs = Object.fromEntries(compareSpatial(config, crop).map(({ spatial, ...cost }) => [spatial, cost]));
  expect([costs['conv_3x3']!.params / 1e6, costs['conv_7x7']!.params / 1e6].map((m) => m.toPrecision(3))).toEqual([
    '34.5',
    '113',
  ]);
  expect(costs['group_conv']).toEqual(costs['morph_fc']);
});

test('the prediction for the measured network is what was measured, and scales with the work of a stage', () => {
  const { study } = sampleStudy();
  const { config, crop } = study.model;
  const measured = measuredOf(study.cost!);
  const same = unchanged(config, crop);
  const { all, stages } = whatIf(config, same, measured);
  const counted = study.cost!.stages.filter(({ name, macs }) => macs > 0 && name !== 'loss');
  expect(all.ms).toBeCloseTo(
    counted.reduce((sum, stage) => sum + stage.ms, 0),
    6,
  );
  expect(all.macs).toBe(study.cost!.total.macs);
  expect(all.floorMs!).toBeGreaterThan(0);
  const longer = whatIf(config, { ...same, frames: 2 * config.frames }, measured);
  expect(longer.stages[0]!.ms! / stages[0]!.ms!).toBeCloseTo(2, 6); // the stem's work is a multiple of the frames
  expect(whatIf(config, same).all).toMatchObject({ ms: null, floorMs: null });
});

test('bytes are those of inputs, weights and outputs, each once', () => {
  const { config } = VARIANTS['quickstart']!;
  const { stages } = whatIf(config, unchanged(config, 64));
  // the stem: 3 × 16 × 64 × 64 pixels → 8 × 32 × 32 × 16 → 8 × 16 × 16 × 32, and the weights of two convolutions
  const [pixels, middle, out] = [3 * 16 * 64 * 64, 8 * 32 * 32 * 16, 8 * 16 * 16 * 32];
  const weights = 3 * 27 * 16 + 16 + 16 * 9 * 32 + 32;
  expect(stages[0]!.bytes).toBe(4 * (pixels + middle + middle + out + weights));
});

test('widths stay divisible, shapes tell padding, and what does not fit is refused in a sentence', () => {
  expect(scaledChannels(112, 1, 14)).toBe(112);
  for (const [c, factor, chunk] of [
    [112, 0.25, 14],
    [84, 1.25, 12],
    [32, 0.25, 16],
  ] as const) {
    const scaled = scaledChannels(c, factor, chunk);
    expect([scaled % (2 * chunk), scaled % 4, scaled > 0]).toEqual([0, 0, true]);
  }
  const { config } = VARIANTS['video-s']!;
  const shapes = stageShapes(changedConfig(config, { ...unchanged(config, 224), chunks: [16, 28, 28, 49] }), 224);
  expect(shapes[0]).toMatchObject({ size: [8, 56, 56], chunk: 16, group: 7, groups: 16, chunks: 196, padding: 0 });
  expect(stageShapes(config, 100)[1]).toMatchObject({ size: [8, 13, 13], chunks: 7, padding: 1 - 169 / 196 });
  const odd = { ...unchanged(config, 224), chunks: [7, 28, 28, 49] as const, groupDim: '2C/L' as const };
  expect(() => changedConfig(config, odd)).toThrow(/stage 1: group dimension 2C\/L needs an even chunk length, got 7/);
});
