import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { KernelRow } from '../../src/bench/kernels';
import { native } from '../../src/native';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const kernels = (...args: string[]) => runCli(['bench', 'kernels', ...args]);

test('bench kernels verifies, times and writes what it measured', () => {
  const { status, out } = kernels('--op', 'gelu', '--rounds', '3', '--cache', 'both', '--out', at('gelu.json'));
  expect(status).toBe(0);
  expect(out).toMatch(/gelu +1 +forward +morphmlp +cold/);
  const { machine, rows } = JSON.parse(readFileSync(at('gelu.json'), 'utf8')) as {
    machine: object;
    rows: KernelRow[];
  };
  expect(machine).toMatchObject({ device: 'cpu', threads: expect.any(Number) as number });
  expect(rows.map((r) => `${r.direction} ${r.cache}`)).toEqual([
    'forward warm',
    'backward warm',
    'forward cold',
    'backward cold',
  ]);
  for (const row of rows) expect(row).toMatchObject({ op: 'gelu', dtype: 'f32', variant: 'morphmlp', speed: null });
  expect(rows.every((r) => r.ms.length === 3 && r.error! < 1e-6 && r.q1 <= r.median && r.median <= r.q3)).toBe(true);
});

test.each([
  [['--op', 'sort'], /op 'sort' is not one of norm_spatial, .*gelu/],
  [['--op', 'gelu', '--stage', '3'], /gelu is not timed at stage 3, only at 1/],
  [['--stage', '5'], /Expected stages from 1 to 4/],
  [['--launch', 'graph'], /--launch graph: expected --device cuda; the CPU knows one way/],
  [['--dtype', 'bf16'], /--dtype bf16: on the CPU the kernels are f32/],
])('bench kernels %j is one clear sentence', (args, message) => {
  const { status, err } = kernels(...args);
  expect(err).toMatch(message);
  expect(status).toBe(1);
});

/** With a GPU the command would measure for minutes; test/cuda has that. */
const withoutGpu = native.cudaStatus() === 'available' ? test.skip : test;
withoutGpu('bench kernels --device cuda without a GPU is one clear sentence that says why', () => {
  const { status, out, err } = kernels('--device', 'cuda', '--op', 'gelu');
  expect(err).toBe(`morphmlp: no CUDA device: ${native.cudaStatus()}\n`);
  expect({ status, out }).toEqual({ status: 1, out: '' });
});
