import { runCli } from '../support/run_cli';

const kernels = (...args: string[]) => runCli(['bench', 'kernels', ...args]);

test.each([
  [['--op', 'sort'], /op 'sort' is not one of norm_spatial, .*gelu/],
  [['--op', 'gelu', '--stage', '3'], /gelu is not timed at stage 3, only at 1/],
  [['--stage', '5'], /Expected stages from 1 to 4/],
  [['--device', 'cuda'], /no CUDA device: /],
  [['--dtype', 'bf16'], /--dtype bf16: on the CPU the kernels are f32/],
])('bench kernels %j is one clear sentence', (args, message) => {
  const { status, err } = kernels(...args);
  expect(err).toMatch(message);
  expect(status).toBe(1);
});
