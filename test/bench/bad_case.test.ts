/** `bench kernels` with a kernel of ours that is wrong. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { benchKernels } from '../../src/cli/commands/bench_kernels_action';
import { native } from '../../src/core/native';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  jest.restoreAllMocks();
  process.exitCode = undefined;
});

test('one bad case is reported, and the rows of the others are kept', async () => {
  const out = path.join(folder, 'kernels.json');
  const [lines, errors] = [
    jest.spyOn(console, 'log').mockReturnValue(),
    jest.spyOn(console, 'error').mockReturnValue(),
  ];
  jest.spyOn(native.kernels, 'temporal_fc_forward').mockImplementation(() => undefined);
  const given = {
    op: ['temporal_fc', 'morph_fc'],
    stage: [4],
    device: 'cpu',
    precision: 'f32',
    clock: 'wall',
  } as const;
  const rest = { rounds: 1, passes: 2, seed: 3, timeout: 60, verify: true, out };
  await benchKernels({ ...given, op: [...given.op], stage: [...given.stage], ...rest });
  const { rows, failures } = JSON.parse(readFileSync(out, 'utf8')) as {
    rows: { op: string }[];
    failures: { plugin: string; at: string; problem: string }[];
  };
  expect(new Set(rows.map(({ op }) => op.split(' ')[0]))).toEqual(new Set(['morph_fc']));
  expect(failures).toEqual([
    {
      plugin: 'morphmlp',
      at: 'temporal_fc stage 4',
      problem: expect.stringMatching(/^morphmlp: the output of .* is wrong/),
    },
  ]);
  expect(stripVTControlCharacters(errors.mock.calls.flat().join('\n'))).toMatch(
    /failed {2}morphmlp \(temporal_fc stage 4\): morphmlp: the output of/,
  );
  expect(lines).toHaveBeenCalled();
  expect(process.exitCode).toBe(1);
});
