import { dryRun } from '../../src/core/dry_run';
import { countOps } from '../../src/models/flops';
import { MorphMLP } from '../../src/models/morphmlp';
import { costOf, recordStep, stageOf, stepOf, studyCost, type Cost, type CostOptions } from '../../src/study/cost';
import { Profiler } from '../../src/study/profiler';
import { randomSubject, STUDY_MODELS } from '../../src/study/subject';

const LIMITS = { gflops: 100, gbs: 10 };

/** The cost of a dry-run step: calls, work and tensors are correct, times are meaningless. */
function dryCost(name: string, work: CostOptions['work'], crop = name === 'quickstart' ? 64 : 224, batch = 1): Cost {
  return dryRun(() => {
    const network = new MorphMLP(STUDY_MODELS[name]!);
    const { config } = network;
    const shape = [batch, 3, config.kind === 'video' ? config.frames : 1, crop, crop];
    const x = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const profiler = new Profiler(network.namedTensors());
    return profiler.profile(() => {
      const { step } = stepOf(network, work, x, shape);
      return costOf([recordStep(profiler, step)], { limits: LIMITS, others: 0 }, { work, batch, steps: 1 });
    });
  });
}

const MODELS = Object.keys(STUDY_MODELS);

test.each(MODELS)('a forward pass of %s has the multiply-adds that countOps counts, stage by stage', (name) => {
  const crop = name === 'quickstart' ? 64 : 224;
  const { ops, macs } = countOps(STUDY_MODELS[name]!, { height: crop, width: crop });
  const cost = dryCost(name, 'forward');
  expect(cost.total.macs).toBe(macs);
  for (const { name: stage, macs: found } of cost.stages) {
    const number = ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'head'].indexOf(stage);
    expect(found).toBe(ops.filter((op) => op.stage === number).reduce((sum, op) => sum + op.macs, 0));
  }
  for (const block of cost.blocks) {
    const own = ops.filter((op) => op.name.startsWith(`${block.name}.`));
    expect(block.macs).toBe(own.reduce((sum, op) => sum + op.macs, 0));
  }
});

test.each(MODELS)('a training step of %s has three times as many, but no gradient of the input', (name) => {
  const crop = name === 'quickstart' ? 64 : 224;
  const { ops, macs } = countOps(STUDY_MODELS[name]!, { height: crop, width: crop });
  const input = ops.find((op) => op.name === 'patch_embed1.proj1')!.macs;
  expect(dryCost(name, 'train').total.macs).toBe(3 * macs - input);
});

test('counts padded frames and several clips', () => {
  const { macs } = countOps(STUDY_MODELS['quickstart']!, { height: 72, width: 72 });
  expect(dryCost('quickstart', 'forward', 72, 3).total.macs).toBe(3 * macs);
});

test('every call has its layer, and a block consists of its parts', () => {
  const { ops } = dryCost('image-t', 'train');
  const layers = new Set(ops.map((op) => op.layer));
  for (const layer of layers)
    expect(layer).toMatch(
      /^(patch_embed1\.proj[12]|patch_embed[234]\.(proj|norm)|blocks[1-4]\.\d+\.(fc|mlp)(\.\w+)*|norm|head|loss|optimizer)$/,
    );
  const first = ops.filter((op) => op.block === 'blocks1.0' && op.phase === 'forward').map((op) => op.kernel);
  expect(first[0]).toMatch(/dropout_factors|norm_spatial_branches/);
  expect(first.at(-1)).toBe('norm_mlp_forward');
  // Stage 1's second block draws the factors of its own drop path.
  const drop = ops.filter((op) => op.kernel === 'dropout_factors' && op.layer.startsWith('blocks1.1.'));
  expect(drop.map((op) => op.layer)).toEqual(['blocks1.1.fc', 'blocks1.1.mlp']);
});

test('maps layers to stages', () => {
  const layers = ['patch_embed1.proj1', 'patch_embed2.norm', 'blocks2.0.fc', 'norm', 'head', 'loss', 'optimizer'];
  expect(layers.map(stageOf)).toEqual(['stem', 'stage 2', 'stage 2', 'head', 'head', 'loss', 'optimizer']);
});

test('counts each buffer once as read and once as written', () => {
  const { ops } = dryCost('image-t', 'forward');
  const mlp = ops.find((op) => op.layer === 'blocks1.0.mlp')!;
  const [rows, c, hidden] = [56 * 56, 84, 252];
  const weights = 2 * c * hidden + hidden + c + 2 * c;
  expect(mlp.read).toBe(4 * (rows * c + weights));
  expect(mlp.written).toBe(4 * (rows * c + 2 * rows));
  expect(mlp.intensity).toBeCloseTo((2 * rows * c * hidden) / (mlp.read + mlp.written), 12);
});

test('counts a buffer modified in place as read and written', () => {
  const { ops } = dryCost('quickstart', 'train');
  const parameters = countOps(STUDY_MODELS['quickstart']!).params;
  const updates = ops.filter((op) => op.kernel === 'adamw_step');
  const sum = (pick: 'read' | 'written') => updates.reduce((total, op) => total + op[pick], 0);
  expect([sum('read'), sum('written')]).toEqual([4 * 4 * parameters, 3 * 4 * parameters]);
});

test('the peak of live bytes is that of the named op', () => {
  const cost = dryCost('quickstart', 'train', 64, 2);
  expect(cost.ops[cost.peakOp]!.peak).toBe(cost.peakBytes);
  expect(cost.peakBytes).toBe(Math.max(...cost.ops.map((op) => op.peak)));
  for (const op of cost.ops) expect(op.peak).toBeGreaterThanOrEqual(op.live);
});

describe('a real run', () => {
  const subject = randomSubject('quickstart', 32);
  afterAll(() => subject.network.dispose());

  test('leaves weights, running statistics and kernels unchanged', () => {
    const values = () => new Map(subject.network.namedTensors().map(([name, t]) => [name, Array.from(t.floats())]));
    const before = values();
    studyCost(subject, { work: 'train', batch: 2, steps: 1 });
    expect(values()).toEqual(before);
    expect(subject.network.parameters().every((p) => p.grad === null)).toBe(true);
  });

  test('times add up, and shares refer to the measured limits', () => {
    const cost = studyCost(subject, { work: 'forward', batch: 1, steps: 3 });
    expect(cost.steps).toBe(3);
    expect(cost.limits.gflops).toBeGreaterThan(0);
    for (const op of cost.ops) {
      expect(op.ms).toBeGreaterThan(0);
      const floor = Math.max((2 * op.macs) / cost.limits.gflops, (op.read + op.written) / cost.limits.gbs) / 1e6;
      expect(op.floorMs).toBeCloseTo(floor, 12);
      expect(op.share).toBeCloseTo(floor / op.ms, 12);
    }
    const sum = cost.stages.reduce((total, stage) => total + stage.ms, 0);
    expect(sum).toBeCloseTo(cost.total.ms, 9);
    expect(cost.ops.reduce((total, op) => total + op.took, 0)).toBeLessThanOrEqual(cost.typical);
  });
});
