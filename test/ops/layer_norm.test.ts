import { layerNorm } from '../../src/ops/layer_norm';
import { scope } from '../../src/core/scope';
import { ones, zeros } from '../../src/core/tensor';
import { layerNormCases } from '../../src/bench/op_cases/layer_norm';
import { runCases } from '../support/run_cases';

runCases('layerNorm', layerNormCases);

test('a gamma of another width is refused with both shapes', () => {
  scope(() => {
    expect(() => layerNorm(zeros([2, 4]), ones([3]), zeros([4]))).toThrow(
      'layerNorm: gamma must have shape [4], got [3]',
    );
  });
});
