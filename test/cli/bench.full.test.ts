import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { KernelRow } from '../../src/bench/kernels';
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
  expect(out).toMatch(/^others took at most \d+% of the processors' time beside an op/m);
  expect(rows.every((r) => r.cpuMs!.length === 3 && r.others >= 0 && r.others <= 1)).toBe(true);
  expect(rows.every((r) => r.ms.length === 3 && r.error! < 1e-6 && r.q1 <= r.median && r.median <= r.q3)).toBe(true);
});
