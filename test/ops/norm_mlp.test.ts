import { normMlpCases } from '../../src/bench/op_cases/norm_mlp';
import { ones } from '../../src/core/tensor';
import { normMlp } from '../../src/ops/norm_mlp';
import { runCases } from '../support/run_cases';

runCases('normMlp', normMlpCases);

test.each([{ b1: [1, 3] }, { b1: [4] }, { b2: [1, 2] }, { w1: [2, 3] }, { w2: [3, 2] }, { gamma: [1, 2] }])(
  'a parameter of another shape is refused: %j',
  (other) => {
    const shapes = { gamma: [2], beta: [2], w1: [3, 2], b1: [3], w2: [2, 3], b2: [2], ...other };
    const p = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, ones(shape)]));
    expect(() => normMlp(ones([1, 5, 2]), p as unknown as Parameters<typeof normMlp>[1])).toThrow(
      /^normMlp: \w+ must have shape \[.*\], got \[.*\]$/,
    );
  },
);
