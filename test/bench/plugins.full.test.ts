import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Failure } from '../../src/bench/hosted';
import type { KernelRow } from '../../src/bench/kernels';
import { faultyPlugin, type FAULTS } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const plugin = (fault: (typeof FAULTS)[number]) => faultyPlugin(folder, fault);

test('kernels are ranked beside ours and a naive one; those that are wrong are told of and cost the others nothing', () => {
  const files = (['none', 'null', 'zeros'] as const).flatMap((fault) => ['--plugin', plugin(fault)]);
  const args = [...files, '--op', 'morph_fc', '--stage', '4', '--rounds', '3', '--out', at('ranked.json')];
  const { status, out, err } = runCli(['bench', 'kernels', ...args]);
  expect(out).toMatch(/morph_fc strided +4 +forward +morphmlp .* 1\n/);
  expect(err).toMatch(/failed +null\.so \(morph_fc strided stage 4\): crashed/);
  expect(err).toMatch(/failed +zeros\.so \(morph_fc strided stage 4\): zeros: the output of .* is wrong/);
  expect(status).toBe(1);
  const { rows, failures } = JSON.parse(readFileSync(at('ranked.json'), 'utf8')) as {
    rows: KernelRow[];
    failures: Failure[];
  };
  expect(new Set(rows.map((r) => r.variant))).toEqual(new Set(['morphmlp', 'none', 'naive']));
  expect(rows.filter((r) => r.variant === 'none').map((r) => r.flags)).toEqual(['-O1', '-O1']);
  expect(rows.every((r) => r.variant === 'morphmlp' || r.speed!.median < 1)).toBe(true);
  expect(failures.map((f) => path.basename(f.plugin))).toEqual(['null.so', 'zeros.so']);
});
