import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Failure } from '../../src/bench/kernels/protocol';
import type { KernelRow } from '../../src/bench/kernels/measure';
import { faultyPlugin } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const kernels = (...args: string[]) => runCli(['bench', 'kernels', ...args]);

test('bench kernels verifies, times and writes its results', () => {
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

test('plugins are compared with ours and the naive kernel; wrong ones are reported without affecting the others', () => {
  const files = (['none', 'null', 'zeros'] as const).flatMap((fault) => ['--plugin', faultyPlugin(folder, fault)]);
  const args = [...files, '--op', 'morph_fc', '--stage', '4', '--rounds', '3', '--out', at('ranked.json')];
  const { status, out, err } = kernels(...args);
  expect(out).toMatch(/morph_fc strided +4 +forward +morphmlp .* 1\n/);
  expect(err).toMatch(/failed +null\.so \(morph_fc strided stage 4\): crashed/);
  expect(err).toMatch(/failed +zeros\.so \(morph_fc strided stage 4\): zeros: the output of .* is wrong/);
  expect(status).toBe(1);
  const { rows, failures } = JSON.parse(readFileSync(at('ranked.json'), 'utf8')) as {
    rows: KernelRow[];
    failures: Failure[];
  };
  const libraries = ['MKL', 'OpenBLAS', 'BLIS']; // if installed
  const variants = new Set(rows.map((r) => r.variant).filter((name) => !libraries.includes(name)));
  expect(variants).toEqual(new Set(['morphmlp', 'none', 'naive']));
  expect(rows.filter((r) => r.variant === 'none').map((r) => r.flags)).toEqual(['-O1', '-O1']);
  expect(rows.every((r) => !['none', 'naive'].includes(r.variant) || r.speed!.median < 1)).toBe(true);
  expect(failures.map((f) => path.basename(f.plugin))).toEqual(['null.so', 'zeros.so']);
});
