import { native } from '../../src/native';
import { runCli } from '../support/run_cli';

const kernels = (...args: string[]) => runCli(['bench', 'kernels', ...args]);

test.each([
  [['--op', 'sort'], /op 'sort' is not one of norm_spatial, .*gelu/],
  [['--op', 'gelu', '--stage', '3'], /gelu is not timed at stage 3, only at 1/],
  [['--stage', '5'], /Expected stages from 1 to 4/],
  [['--launch', 'graph'], /--launch graph: expected --device cuda; the CPU knows one way/],
  [['--dtype', 'bf16'], /bf16 is computed on cuda alone: give --device cuda too, or --precision f32/],
  [['--precision', 'bf16'], /bf16 is computed on cuda alone: give --device cuda too, or --precision f32/],
  [['--precision', 'f16'], /argument 'f16' is invalid. Allowed choices are f32, bf16/],
  [
    ['--device', 'cuda', '--precision', 'bf16', '--plugin', './my_linear.so'],
    /^morphmlp: --plugin: kernels of others take f32 alone, not --precision bf16\n$/,
  ],
])('bench kernels %j is one clear sentence', (args, message) => {
  const { status, err } = kernels(...args);
  expect(err).toMatch(message);
  expect(status).toBe(1);
});

test('bench models --launch graph without a GPU is one clear sentence', () => {
  const { status, err } = runCli(['bench', 'models', '--launch', 'graph']);
  expect(err).toBe('morphmlp: --launch graph: expected --device cuda; the CPU knows one way\n');
  expect(status).toBe(1);
});

/** With a GPU the command would measure for minutes; test/cuda has that. */
const withoutGpu = native.cudaStatus() === 'available' ? test.skip : test;
withoutGpu('bench kernels --device cuda without a GPU is one clear sentence that says why', () => {
  const { status, out, err } = kernels('--device', 'cuda', '--op', 'gelu');
  expect(err).toBe(`morphmlp: no CUDA device: ${native.cudaStatus()}\n`);
  expect({ status, out }).toEqual({ status: 1, out: '' });
});
