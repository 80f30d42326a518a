/** Products of f32 by 3xTF32 on the tensor cores (MORPHMLP_F32): every op that has one, and who says so. */
import { machine } from '../../src/bench/machine';
import { kernelFlags } from '../../src/bench/flags';
import { conv3dCases } from '../../src/bench/op_cases/conv3d';
import { linearCase, linearCases } from '../../src/bench/op_cases/linear';
import { morphFcCase, morphFcCases, morphFcGroupCases } from '../../src/bench/op_cases/morph_fc';
import { normMlpCase, normMlpCases } from '../../src/bench/op_cases/norm_mlp';
import { normSpatialCases } from '../../src/bench/op_cases/norm_spatial';
import { normTemporalCase, normTemporalCases } from '../../src/bench/op_cases/norm_temporal';
import { makeInput, makeTensor, mapInputs } from '../../src/bench/op_cases/tensors';
import { temporalFcCases } from '../../src/bench/op_cases/temporal_fc';
import { native } from '../../src/core/native';
import { requireDevice } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { runCases } from '../support/run_cases';
import { runCli } from '../support/run_cli';

beforeAll(() => native.cudaUseF32('3xtf32'));
afterAll(() => native.cudaUseF32('ffma'));

// Beside the cases of each op some of which four numbers of a row are read at once.
const consecutive = { order: 'consecutive' } as const;
runCases('linear', [...linearCases, linearCase([5], 24, 40, { gelu: true }), linearCase([130], 60, 68)]);
runCases('morphFc', [
  ...[...morphFcCases, ...morphFcGroupCases],
  morphFcCase([1, 2, 2, 4, 24], { axis: 'width', chunk: 2, ...consecutive }),
]);
runCases('normMlp', [...normMlpCases, normMlpCase([2, 5, 16], 24, [1.25, 0.5])]);
runCases('normSpatial', normSpatialCases);
runCases('normTemporal', [...normTemporalCases, normTemporalCase([1, 2, 3, 1, 32], 2)]);
runCases('temporalFc', temporalFcCases);
runCases('conv3d', conv3dCases);

test('it is another way of adding than that of FFMA', () => {
  const c = linearCase([5], 24, 40);
  const run = (by: 'ffma' | '3xtf32') => {
    native.cudaUseF32(by);
    return scope(() =>
      c.forward(mapInputs(c, (input, _, i) => makeTensor(input, makeInput(input, i), false))).floats(),
    );
  };
  const [ffma, tf32] = [run('ffma'), run('3xtf32')];
  expect(Array.from(tf32)).not.toEqual(Array.from(ffma));
});

test('what is measured says so', () => {
  expect(machine().products).toBe('own, f32 by 3xTF32');
  expect(kernelFlags()).toBe(`${native.cudaFlags()}; products by own kernels, f32 by 3xTF32`);
});

const ask = (MORPHMLP_F32: string, ...args: string[]) => runCli(args, undefined, { MORPHMLP_F32 });

test('MORPHMLP_F32 asks for it; what is not known is an error with the reason', () => {
  const products = (asked: string) => /^ *products: (.*)$/m.exec(ask(asked, 'doctor').out)?.[1];
  expect(products('')).toBe('our own kernels');
  expect(products('ffma')).toBe('our own kernels');
  expect(products('3xtf32')).toBe('our own kernels, f32 by 3xTF32');
  const bench = ask('tf32', 'bench', 'kernels', '--device', 'cuda', '--op', 'gelu');
  expect(bench).toMatchObject({
    status: 1,
    out: '',
    err: "morphmlp: MORPHMLP_F32: expected ffma or 3xtf32, got 'tf32'\n",
  });
  expect(() => native.cudaUseF32('tf32' as 'ffma')).toThrow("f32: expected ffma or 3xtf32, got 'tf32'");
  expect(() => native.cudaUseF32(1 as unknown as 'ffma')).toThrow('name: expected a string, got the number 1');
  requireDevice('cuda'); // what was refused changed nothing
  expect(native.cudaProducts()).toBe('own, f32 by 3xTF32');
});
