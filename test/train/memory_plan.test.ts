import { backward } from '../../src/core/autograd';
import { dryRun, isDryRun } from '../../src/core/dry_run';
import { MorphMLP } from '../../src/models/morphmlp';
import type { MorphMlpConfig } from '../../src/models/config';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, parameterGroups } from '../../src/optim';
import { manualSeed } from '../../src/core/generator';
import { memory, releaseMemoryCache, resetPeakMemory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { planMemory, predictPeaks } from '../../src/train/memory_plan';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

const CONFIG: MorphMlpConfig = {
  ...{ kind: 'video', layers: [2, 1, 2, 1], embedDims: [28, 56, 56, 196], segmentDim: [14, 28, 28, 49] },
  ...{ frames: 8, numClasses: 5, mlpRatio: 3, qkvBias: true, dropPath: 0.2 },
};
const SIZE = { batch: 2, crop: 160 };

/** A training step on this model: its peak, and the gradients it leaves. */
function trainStep(model: MorphMLP): { peak: number; gradients: Map<string, Float32Array> } {
  resetPeakMemory();
  manualSeed(5);
  scope(() => {
    const x = tensor(uniform(3, 2 * 3 * 8 * 160 * 160), [2, 3, 8, 160, 160]);
    backward(crossEntropy(model.forward(x), tensor(Int32Array.of(1, 4))));
  });
  const peak = memory().peak;
  // The stem's biases have no gradient but rounding: BatchNorm takes every mean away.
  const named = [...model.namedParameters()].filter(([name]) => !/^patch_embed1\.proj\d\.bias$/.test(name));
  return { peak, gradients: new Map(named.map(([name, p]) => [name, p.grad!.floats()])) };
}

test('the dry run predicts the peak of a training step within 10%, for any number of recomputed blocks', () => {
  const predicted = predictPeaks(CONFIG, SIZE);
  expect(predicted).toHaveLength(7);
  const model = new MorphMLP(CONFIG).train() as MorphMLP;
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05));
  for (const recompute of [0, 1, 3, 6]) {
    model.recompute = recompute;
    const { peak } = trainStep(model);
    optimizer.step();
    optimizer.zeroGrad();
    const ratio = peak / predicted[recompute]!;
    expect({ recompute, ratio, within: Math.abs(ratio - 1) < 0.1 }).toMatchObject({ recompute, within: true });
  }
  model.dispose();
  optimizer.dispose();
});

test('recomputed blocks have the same gradients, with the same random numbers', () => {
  const model = new MorphMLP(CONFIG).train() as MorphMLP;
  for (const p of model.parameters()) p.copyFrom(uniform(p.size, p.size, 0.1, p.ndim === 1 ? 0.5 : 0));
  const kept = trainStep(model);
  model.zeroGrad();
  model.recompute = 6;
  const again = trainStep(model);
  expect(again.peak).toBeLessThan(kept.peak);
  for (const [name, gradient] of kept.gradients) {
    const error = relativeError(again.gradients.get(name)!, gradient);
    expect({ name, error, same: error < 2e-5 }).toMatchObject({ name, same: true });
  }
  model.dispose();
});

test('a plan takes the fewest blocks that fit, and says when none do', () => {
  const peaks = predictPeaks(CONFIG, SIZE);
  expect(planMemory(CONFIG, SIZE, peaks[0]!)).toEqual({ recompute: 0, peak: peaks[0], full: peaks[0] });
  expect(planMemory(CONFIG, SIZE, peaks[2]!).recompute).toBe(2);
  expect(() => planMemory(CONFIG, SIZE, 1 << 20)).toThrow(
    /^a memory budget of 1 MiB is too small: a step of 2 clips of 160x160 needs at least \d+ MiB$/,
  );
});

test('a dry run takes no memory and leaves everything as it was', () => {
  releaseMemoryCache();
  const before = memory();
  const held = dryRun(() => {
    expect(isDryRun()).toBe(true);
    expect(() => dryRun(() => 0)).toThrow('dryRun: one is under way');
    const big = zeros([1 << 20, 1 << 10]);
    const { live } = memory();
    big.dispose();
    return [live, memory().live, memory().peak];
  });
  expect(held).toEqual([2 ** 32, 0, 2 ** 32]);
  expect(() => dryRun(() => zeros([-1]))).toThrow();
  expect([memory(), isDryRun()]).toEqual([before, false]);
  expect(tensor([1, 2]).toArray()).toEqual([1, 2]);
});
