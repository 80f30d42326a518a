/** Two steps of training, for tests of their bits. */
import { backward } from '../../src/core/autograd';
import { manualSeed } from '../../src/core/generator';
import type { Precision } from '../../src/core/native';
import { setThreads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { uniform } from '../../src/bench/op_cases/random';
import type { MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, clipGradNorm, parameterGroups } from '../../src/optim';

const CONFIG: MorphMlpConfig = {
  ...{ kind: 'video', layers: [1, 1, 2, 1], embedDims: [28, 56, 84, 196], segmentDim: [14, 28, 28, 49] },
  ...{ frames: 8, numClasses: 5, mlpRatio: 3, qkvBias: true, dropPath: 0.4 },
};

/** Two training steps with drop path and clipping: every loss, and all parameters and buffers after them. */
export function trainSteps(precision: Precision = 'f32', dropPath = CONFIG.dropPath): Float32Array[] {
  seedInit(1);
  manualSeed(2);
  const model = new MorphMLP({ ...CONFIG, dropPath }).train() as MorphMLP;
  model.precision = precision;
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-2 });
  const losses = [0, 1].map((step) => {
    const loss = scope(() => {
      const x = tensor(uniform(step, 2 * 3 * 8 * 61 * 56), [2, 3, 8, 61, 56]);
      const made = crossEntropy(model.forward(x), tensor(Int32Array.of(0, 4)));
      backward(made);
      return made.item();
    });
    clipGradNorm(model.parameters(), 1);
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  });
  const state = model.namedTensors().map(([, t]) => t.floats());
  model.dispose();
  optimizer.dispose();
  return [Float32Array.from(losses), ...state];
}

/** Trains with 1, 2 and 4 threads, and compares losses, parameters and buffers. */
export function expectSameBits(precision: Precision): void {
  const [one, ...more] = [1, 2, 4].map((n) => {
    setThreads(n);
    return trainSteps(precision);
  });
  expect(one!.every((values) => values.every(Number.isFinite))).toBe(true); // NaNs would equal each other
  more.forEach((other) => expect(other).toEqual(one));
}
