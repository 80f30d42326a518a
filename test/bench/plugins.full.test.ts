import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { faultyPlugin } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const check = (file: string, ...more: string[]) => runCli(['kernel', 'check', file, ...more]);
const plugin = (fault: string) => faultyPlugin(folder, fault);

test('a correct kernel passes at every stage, and its output stays out of the table', () => {
  const { status, out, err } = check(plugin('prints'), '--seed', '3');
  expect(out).toMatch(/morph_fc height +1 /);
  expect(out).toMatch(/morph_fc strided +4 .*\nright, on numbers of seed 3\n$/);
  expect(out).not.toMatch(/printed by the kernel/);
  expect(err).toMatch(/printed by the kernel/);
  expect(status).toBe(0);
});

test('a kernel without a backward passes', () => {
  const { status, out } = check(plugin('no backward'));
  expect(out).toMatch(/morph_fc width +3 .* none\n/);
  expect(status).toBe(0);
});

test.each([
  ['gelu', 1],
  ['layer_norm', 1],
  ['linear', 4],
  ['morph_fc', 4],
  ['temporal_fc', 4],
  ['norm_mlp', 4],
  ['norm_temporal', 4],
  ['norm_spatial', 4],
  ['conv3d', 4],
])('a new kernel for %s compiles and is right on ragged shapes and at stage %i', (op, stage) => {
  const name = `my_${op}`;
  const made = runCli(['kernel', 'new', name, '--out', folder]);
  expect(made.out).toContain(`wrote ${at(`${name}.cc`)}, a kernel for ${op}`);
  const built = runCli(['kernel', 'build', at(`${name}.cc`), '--', '-O2']);
  expect(built.err).toBe('');
  expect(built.out).toContain(`built ${at(`${name}.so`)}`);
  const { status, out, err } = check(at(`${name}.so`), '--stage', String(stage), '--timeout', '120');
  expect(status === 0 ? 'right' : out + err).toBe('right');
  const rows = out.split('\n').filter((line) => line.startsWith(`${name}.so`));
  expect(rows.map((line) => Number(line.split(/\s{2,}/)[2]))).toEqual(rows.map(() => stage));
  const dtypes = new Set(rows.map((line) => line.split(/\s{2,}/)[3]));
  expect([...dtypes]).toEqual(/norm_|conv3d/.test(op) ? ['f32', 'bf16'] : ['f32']);
});
