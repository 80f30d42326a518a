import { backward } from '../../src/core/autograd';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { pixelCrossEntropy } from '../../src/ops/pixel_cross_entropy';
import { reshape } from '../../src/ops/reshape';
import { resize } from '../../src/ops/resize';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';
import { pixelCrossEntropyCases } from '../../src/bench/op_cases/pixel_cross_entropy';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { runCases } from '../support/run_cases';

runCases('pixelCrossEntropy', pixelCrossEntropyCases);

const masks = (shape: number[], values: ArrayLike<number>) => tensor(Uint8Array.from(values), shape);

test.each([
  [
    'labels of another type',
    () => pixelCrossEntropy(zeros([1, 1, 1, 2]), zeros([1, 2, 2])),
    'pixelCrossEntropy: labels must be u8, got f32',
  ],
  [
    'masks of other pictures',
    () => pixelCrossEntropy(zeros([2, 1, 1, 2]), masks([1, 2, 2], [0, 1, 0, 1])),
    'pixelCrossEntropy: expected masks of 2 pictures, none empty, got [1, 2, 2] for logits [2, 1, 1, 2]',
  ],
  [
    'too many classes',
    () => pixelCrossEntropy(zeros([1, 1, 1, 256]), masks([1, 1, 1], [0])),
    'pixelCrossEntropy: at most 255 classes, got 256',
  ],
  [
    'weights of another length',
    () => pixelCrossEntropy(zeros([1, 1, 1, 2]), masks([1, 1, 1], [0]), zeros([3])),
    'pixelCrossEntropy: weights must have shape [2], got [3]',
  ],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

/** Loss, gradient and classes of the fused op and of resize, crossEntropy and argmax. */
test('equals resize and crossEntropy', () => {
  scope(() => {
    const [shape, size] = [
      [2, 5, 6, 7],
      [19, 23],
    ] as const;
    const labels = Uint8Array.from({ length: 2 * size[0] * size[1] }, (_, i) => (i % 11 === 0 ? 255 : (i * 3) % 7));
    const values = uniform(4, 2 * 5 * 6 * 7, 4);
    const run = (loss: (logits: Tensor) => Tensor) => {
      const logits = tensor(values, [...shape], { requiresGrad: true });
      const found = loss(logits);
      backward(found);
      return { loss: found.item(), grad: logits.grad!.floats() };
    };
    let predicted: ArrayLike<number> = [];
    const fused = run((logits) => {
      const result = pixelCrossEntropy(logits, masks([2, ...size], labels));
      predicted = result.predicted.data();
      return result.loss;
    });
    let rows: Float32Array = new Float32Array();
    const plain = run((logits) => {
      const full = reshape(resize(logits, size, 'bilinear'), [-1, 7]);
      rows = full.floats();
      return crossEntropy(full, tensor(Int32Array.from(labels)), { ignoreIndex: 255 });
    });
    expect(fused.loss).toBeCloseTo(plain.loss, 5);
    expect(relativeError(fused.grad, plain.grad)).toBeLessThan(2e-6);
    const best = Array.from({ length: labels.length }, (_, i) => {
      const row = rows.subarray(i * 7, (i + 1) * 7);
      return row.indexOf(Math.max(...row));
    });
    expect([...(predicted as Uint8Array)]).toEqual(best);
  });
});

test('pictures without a labelled pixel have a loss of 0 and no gradient', () => {
  scope(() => {
    const logits = tensor(uniform(1, 8), [1, 2, 2, 2], { requiresGrad: true });
    const { loss } = pixelCrossEntropy(logits, masks([1, 4, 4], new Uint8Array(16).fill(255)));
    backward(loss);
    expect(loss.item()).toBe(0);
    expect([...logits.grad!.floats()]).toEqual(new Array(8).fill(0));
    logits.grad!.dispose();
  });
});

test('a NaN among the logits reaches the loss', () => {
  scope(() => {
    const logits = tensor([0, 1, NaN, 2, 0, 1, 0, 2], [1, 2, 2, 2]);
    expect(pixelCrossEntropy(logits, masks([1, 4, 4], new Uint8Array(16))).loss.item()).toBeNaN();
  });
});

test('never stores logits of the size of the masks', () => {
  const [classes, side] = [64, 128];
  scope(() => {
    const logits = tensor(uniform(3, 8 * 8 * classes), [1, 8, 8, classes], { requiresGrad: true });
    const labels = masks([1, side, side], new Uint8Array(side * side));
    const before = memory();
    backward(pixelCrossEntropy(logits, labels).loss);
    expect(memory().live - before.live).toBeLessThan((4 * side * side * classes) / 4);
    logits.grad!.dispose();
  });
});
