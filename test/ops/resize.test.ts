import { resize } from '../../src/ops/resize';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { resizeCases } from '../../src/bench/op_cases/resize';
import { runCases } from '../support/run_cases';

runCases('resize', resizeCases);

test.each([
  [
    'three dimensions',
    () => resize(zeros([2, 3, 4]), [2, 2], 'nearest'),
    'resize: x must be [B, H, W, C], got shape [2, 3, 4]',
  ],
  [
    'a size of 0',
    () => resize(zeros([1, 2, 2, 1]), [0, 2], 'nearest'),
    'resize: size must be a whole number of at least 1, got 0',
  ],
  [
    'no rows',
    () => resize(zeros([1, 0, 2, 1]), [2, 2], 'bilinear'),
    'resize: x has no elements to read, shape [1, 0, 2, 1]',
  ],
  [
    'integers',
    () => resize(tensor(new Int32Array(4), [1, 2, 2, 1]), [4, 4], 'nearest'),
    'resize: x must be f32, got i32',
  ],
  [
    'another mode',
    () => resize(zeros([1, 2, 2, 1]), [4, 4], 'cubic' as 'nearest'),
    'resize: mode must be nearest or bilinear, got cubic',
  ],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

/** Rows of PyTorch's F.interpolate(torch.tensor([[[1, 2, 4.]]]), size=5, mode='linear', align_corners=False). */
test('agrees with PyTorch on a row', () => {
  scope(() => {
    const x = tensor([1, 2, 4], [1, 1, 3, 1]);
    const found = [...resize(x, [1, 5], 'bilinear').floats()];
    [1, 1.4, 2, 3.2, 4].forEach((value, i) => expect(found[i]).toBeCloseTo(value, 6));
    expect([...resize(x, [1, 5], 'nearest').floats()]).toEqual([1, 1, 2, 2, 4]);
  });
});

test('a picture of that size is returned as it is', () => {
  scope(() => {
    const x = zeros([1, 2, 3, 1]);
    expect(resize(x, [2, 3], 'bilinear')).toBe(x);
  });
});
