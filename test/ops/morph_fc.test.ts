import { morphFc, type MorphFcOptions } from '../../src/ops/morph_fc';
import { naivePlugin, withPlugin } from '../../src/core/plugins';
import { scope } from '../../src/core/scope';
import { zeros } from '../../src/core/tensor';
import { morphFcCases, morphFcGroupCases } from '../../src/bench/op_cases/morph_fc';
import { runCases } from '../support/run_cases';

runCases('morphFc', [...morphFcCases, ...morphFcGroupCases]);

const run = (channels: number, options: Partial<MorphFcOptions>, row = channels) =>
  scope(() => morphFc(zeros([1, 1, 4, 4, channels]), zeros([row, row]), null, { axis: 'width', chunk: 4, ...options }));

test('groups that do not fit, and a weight that does not fit them, are refused', () => {
  expect(() => run(10, {})).toThrow('morphFc: x has 10 channels, chunk length 4 needs a multiple of 4');
  expect(() => run(8, { groups: 3 })).toThrow('morphFc: x has 8 channels, 3 groups need a multiple of 3');
  expect(() => run(8, { groups: 2 })).toThrow('morphFc: weight must have shape [16, 16], got [8, 8]');
  expect(() => run(8, { groups: 0 })).toThrow('morphFc: groups must be a whole number of at least 1, got 0');
});

test('a plugin is not called for groups that its interface does not support', () =>
  expect(() => withPlugin(naivePlugin('morph_fc'), () => run(8, { groups: 2 }, 16))).toThrow(
    'morphFc: kernels of others have as many groups as tokens in a chunk, 4, not 2',
  ));
