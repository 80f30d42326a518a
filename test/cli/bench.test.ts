import { native } from '../../src/core/native';
import { runCli } from '../support/run_cli';

const kernels = (...args: string[]) => runCli(['bench', 'kernels', ...args]);

test.each([
  [['--op', 'sort'], /op 'sort' is not one of norm_spatial, .*gelu/],
  [['--op', 'gelu', '--stage', '3'], /gelu is not timed at stage 3, only at 1/],
  [['--stage', '5'], /Expected stages from 1 to 4/],
  [['--launch', 'graph'], /--launch graph: expected --device cuda; the CPU knows one way/],
  [['--precision', 'f16'], /argument 'f16' is invalid. Allowed choices are f32, bf16/],
  [['--device', 'cuda', '--perf'], /^morphmlp: --perf: expected --device cpu; a GPU has other counters\n$/],
  [['--shape', '1,8,28,28'], /Expected five sizes of tokens, as in 1,8,28,28,224/],
  [['--sweep', 'width=7'], /Expected a size and its values, as in chunk=7,14,28/],
  [['--op', 'morph_fc', '--stage', '2', '--sweep', 'chunk=13'], /224 channels do not divide into chunks of 13/],
  [['--op', 'conv3d stem', '--sweep', 'chunk=7'], /conv3d stem has one shape: --shape and --sweep do not apply to it/],
])('bench kernels %j is one clear sentence', (args, message) => {
  const { status, err } = kernels(...args);
  expect(err).toMatch(message);
  expect(status).toBe(1);
});

test('bench models --recompute without a training step is one clear sentence', () => {
  const { status, err } = runCli(['bench', 'models', '--cases', 'video-s-16 forward 1', '--recompute', '2']);
  expect(err).toBe(
    'morphmlp: --recompute 2: expected a training step among --cases, but they are video-s-16 forward 1\n',
  );
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

test('bench profile sums a step by kernel, and the kernels add up to its time', () => {
  const { status, out } = runCli(['bench', 'profile', '--model', 'quickstart', '--work', 'train', '--steps', '1']);
  expect(status).toBe(0);
  const rows = out.split('\n').map((line) => line.trim().split(/\s{2,}/));
  const calls = (name: string) => Number(rows.find(([kernel]) => kernel === name)?.[1]);
  expect(calls('norm_mlp_backward')).toBe(calls('norm_mlp_forward'));
  const [, summed] = /outside of (\d+) kernel calls/.exec(out) ?? [];
  expect(calls('all')).toBe(Number(summed));
  expect(out).toMatch(/limits here and now: [\d.]+ GFLOP\/s, [\d.]+ GB\/s/);
});

test('bench profile lists the known models', () => {
  const { status, err } = runCli(['bench', 'profile', '--model', 'video-x']);
  expect(err).toMatch(/^morphmlp: model 'video-x' is not one of quickstart, .*image-t, .*video-b-32\n$/);
  expect(status).toBe(1);
});
