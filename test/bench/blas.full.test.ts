import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LIBRARIES } from '../../src/bench/kernels/libraries';
import type { KernelRow } from '../../src/bench/kernels/measure';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Compiles the library of fixtures/plugins/blas.c. */
function blas(name: string, wrong: boolean): string {
  const file = path.join(folder, `lib${name}.so`);
  const source = path.join(__dirname, '..', 'fixtures', 'plugins', 'blas.c');
  execFileSync(process.env['CC'] ?? 'cc', ['-O2', '-shared', '-fPIC', `-DWRONG=${Number(wrong)}`, source, '-o', file]);
  return file;
}

const quick = ['--op', 'linear,morph_fc,temporal_fc', '--stage', '4', '--rounds', '3', '--seed', '5'];

test('libraries are verified, then timed in turn with ours; a wrong one costs no other', () => {
  const [out, page] = [path.join(folder, 'blas.json'), path.join(folder, 'blas.html')];
  const libraries = ['--library', blas('plain', false), '--library', blas('wrong', true)];
  const found = runCli(['bench', 'blas', ...quick, ...libraries, '--out', out, '--html', page]);
  for (const op of ['linear', 'morph_fc', 'temporal_fc'])
    expect(found.err).toMatch(new RegExp(`failed {2}wrong \\(${op}\\): .* is wrong`));
  expect(found.err).not.toMatch(/\n\s+at /);
  expect(found.status).toBe(1);
  const { rows } = JSON.parse(readFileSync(out, 'utf8')) as { rows: KernelRow[] };
  const variants = new Set(rows.map(({ variant }) => variant));
  expect(variants.has('plain') && variants.has('morphmlp') && !variants.has('wrong') && !variants.has('naive')).toBe(
    true,
  );
  for (const op of ['linear', 'morph_fc strided', 'temporal_fc'])
    for (const direction of ['forward', 'backward'])
      expect(rows.filter((r) => r.op === op && r.direction === direction && r.variant === 'plain')).toHaveLength(1);
  for (const row of rows) expect(row.error).toBeLessThan(2e-6);
  const plain = rows.find(({ variant }) => variant === 'plain')!;
  expect(plain.flags).toMatch(/version unknown; .*; tuned: split=[01]$/);
  expect(found.out).toMatch(/^plain +\d+ of \d+ .*%$/m);
  expect(found.out).toMatch(/^morphmlp +\d+ of \d+ +1 /m);
  expect(readFileSync(page, 'utf8')).toMatch(/<title>bench kernels/);
  for (const { name, packages } of LIBRARIES) {
    if (variants.has(name)) continue;
    console.log(`NOT RUN: bench blas with ${name}, which is not installed`);
    expect(found.out).toContain(`${name}: not installed; the package is ${packages}`);
  }
}, 900_000);

test('what cannot be compared is refused in a sentence', () => {
  const refused = (args: string[], message: RegExp) => {
    const { status, err } = runCli(['bench', 'blas', ...args]);
    expect({ status, err }).toEqual({ status: 1, err: expect.stringMatching(message) as string });
  };
  refused(['--op', 'gelu'], /--op gelu: expected linear, morph_fc, temporal_fc/);
  refused(['--library', 'none.so'], /--library none\.so: no such file/);
  refused(['--html', path.join(folder, 'no', 'page.html')], /--html .*: the folder .* does not exist/);
  refused(['--history', 'old.json'], /--history: expected --html/);
});
