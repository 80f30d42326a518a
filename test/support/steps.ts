import { backward } from '../../src/core/autograd';
import { MorphMLP } from '../../src/models/morphmlp';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, parameterGroups } from '../../src/optim';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { uniform } from '../../src/bench/op_cases/random';
import { collectGarbage } from './collect';

/** A model of the smallest sizes that still have every kind of layer, so that thousands of steps take seconds. */
const TINY = {
  ...({ kind: 'video', layers: [1, 1, 1, 1], embedDims: [8, 8, 8, 8], segmentDim: [4, 4, 4, 2] } as const),
  ...{ frames: 4, numClasses: 3, mlpRatio: 2, qkvBias: true, dropPath: 0.2 },
};

/** Memory after some of the steps: live native bytes as the step leaves them, and the resident bytes once garbage is collected. */
export interface Watched {
  step: number;
  live: number;
  rss: number;
}

/** V8 lets its own garbage lie for as long as the machine has memory (100 MB here), so resident memory says nothing before a collection. */
async function watch(step: number): Promise<Watched> {
  const { live } = memory();
  await collectGarbage();
  return { step, live, rss: process.memoryUsage().rss };
}

/** Takes training steps and notes memory after those listed. The event loop gets its turn after each, as in training. */
export async function watchSteps(steps: number, at: readonly number[]): Promise<Watched[]> {
  const model = new MorphMLP(TINY);
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-3 });
  const watched: Watched[] = [];
  for (let step = 1; step <= steps; step++) {
    scope(() => {
      const x = tensor(uniform(step, 2 * 3 * 4 * 32 * 32), [2, 3, 4, 32, 32]);
      backward(crossEntropy(model.forward(x), tensor(Int32Array.of(step % 3, 1))));
    });
    optimizer.step();
    optimizer.zeroGrad();
    await new Promise((resolve) => setImmediate(resolve));
    if (at.includes(step)) watched.push(await watch(step));
  }
  model.dispose();
  optimizer.dispose();
  return watched;
}
