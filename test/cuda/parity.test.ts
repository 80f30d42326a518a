import path from 'node:path';
import { backward } from '../../src/core/autograd';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { checkCase, holds, readCases } from '../../src/cli/commands/verify_action';
import { fillParameter } from '../../src/formats/reference';
import { MorphMLP } from '../../src/models/morphmlp';
import type { MorphMlpConfig } from '../../src/models/config';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, clipGradNorm, parameterGroups } from '../../src/optim';
import type { Device } from '../../src/core/native';
import { manualSeed } from '../../src/core/generator';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { getDefaultDevice, setDefaultDevice, tensor } from '../../src/core/tensor';

const fixture = path.join(__dirname, '..', 'fixtures', 'reference', 'tiny.json');

afterEach(() => setDefaultDevice('cuda'));

test('these tests run where they are meant to, and numbers come back from there', () => {
  expect(getDefaultDevice()).toBe('cuda');
  scope(() => {
    const t = tensor([1, 2, 3]);
    expect([t.device, [...t.floats()], [...t.to('cpu').floats()]]).toEqual(['cuda', [1, 2, 3], [1, 2, 3]]);
  });
});

test.each(readCases(fixture, 'tiny_image'))('%s agrees with the float64 reference', (name, c) => {
  const live = memory('cuda').live;
  expect(checkCase(name, c).filter((f) => !holds(f))).toEqual([]);
  expect(memory('cuda').live).toBe(live);
});

const config: MorphMlpConfig = {
  ...{ kind: 'video', layers: [1, 1, 1, 1], frames: 4, embedDims: [8, 8, 12, 12], segmentDim: [4, 4, 4, 4] },
  ...{ mlpRatio: 3, qkvBias: true, dropPath: 0.3, numClasses: 5 },
};

/** Far above what rounding makes of a gradient: with AdamW's default of 1e-8 the sign of a gradient near zero, which rounding decides, moves
 * its parameter by the learning rate. */
const EPS = 1e-3;

/** Losses and final parameters of a few steps with drop path and clipped gradients; buffers too. */
function train(device: Device, steps: number): Map<string, ArrayLike<number>> {
  setDefaultDevice(device);
  manualSeed(11);
  const model = new MorphMLP(config).train().nameTensors();
  for (const [name, t] of model.namedTensors()) t.copyFrom(fillParameter(name, t.shape));
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-3, eps: EPS });
  const shape = [2, 3, 4, 32, 32];
  const losses = Array.from({ length: steps }, (_, step) =>
    scope(() => {
      const x = tensor(uniform(step, 2 * 3 * 4 * 32 * 32), shape);
      const loss = crossEntropy(model.forward(x), tensor(Int32Array.of(step % 5, 3)), { labelSmoothing: 0.1 });
      backward(loss);
      clipGradNorm(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    }),
  );
  const found = new Map<string, ArrayLike<number>>([['losses', losses]]);
  for (const [name, t] of model.namedTensors()) found.set(name, t.floats());
  model.dispose();
  optimizer.dispose();
  return found;
}

test('steps of AdamW with drop path go the way of the CPU, and the same way twice', () => {
  const [cpu, cuda, again] = [train('cpu', 3), train('cuda', 3), train('cuda', 3)];
  const errors = [...cpu].map(([name, values]) => [name, relativeError(cuda.get(name)!, values)] as const);
  expect(errors.filter(([, error]) => !(error <= 5e-6))).toEqual([]);
  expect([...again]).toEqual([...cuda]);
});
