/** The starters of `kernel new` in each language, where its compiler is installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { KernelRow } from '../../src/bench/kernels/measure';
import { PLUGGABLE } from '../../src/core/plugins';
import { template } from '../../src/bench/kernels/template';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

const isThere = (compiler: string) => spawnSync(compiler, ['--version']).status === 0;

/** [language, op, file, compiler, whether it has a backward] */
const STARTERS = [
  ['c', 'linear', 'c_linear.c', 'cc', true],
  ['c', 'gelu', 'c_gelu.c', 'cc', true],
  ['rust', 'linear', 'rust_linear.rs', 'rustc', true],
  ['asm', 'linear', 'asm_linear.S', 'cc', false],
] as const;

test.each(STARTERS)(
  'the starter in %s for %s builds, is right, and is measured',
  (lang, op, file, compiler, backward) => {
    const name = path.parse(file).name;
    expect(runCli(['kernel', 'new', name, '--lang', lang, '--out', folder])).toMatchObject({ status: 0 });
    if (!isThere(compiler) || (lang === 'asm' && process.arch !== 'x64')) {
      console.log(`NOT RUN: the starter in ${lang}, which needs ${compiler}${lang === 'asm' ? ' on x86-64' : ''}`);
      return;
    }
    expect(runCli(['kernel', 'build', path.join(folder, file)])).toMatchObject({ status: 0 });
    const library = path.join(folder, `${name}.so`);
    const stage = op === 'gelu' ? '1' : '4';
    const checked = runCli(['kernel', 'check', library, '--stage', stage, '--seed', '4']);
    expect(checked).toMatchObject({ status: 0, out: expect.stringMatching(/right, on numbers of seed 4/) as string });
    const out = path.join(folder, `${name}.json`);
    const timing = ['--stage', stage, '--rounds', '3', '--no-peers', '--no-verify', '--out', out];
    expect(runCli(['bench', 'kernels', '--plugin', library, ...timing])).toMatchObject({ status: 0 });
    const { rows } = JSON.parse(readFileSync(out, 'utf8')) as { rows: KernelRow[] };
    const own = rows.filter(({ variant }) => variant === name);
    expect(new Set(own.map(({ direction }) => direction))).toEqual(
      new Set(backward ? ['forward', 'backward'] : ['forward']),
    );
    expect(own[0]!.flags).not.toMatch(/unknown/);
  },
  600_000,
);

test('the starter in CUDA compiles', () => {
  expect(runCli(['kernel', 'new', 'cuda_linear', '--lang', 'cuda', '--out', folder])).toMatchObject({ status: 0 });
  const nvcc = process.env['NVCC'] ?? 'nvcc';
  const found = runCli(['kernel', 'build', path.join(folder, 'cuda_linear.cu')]);
  if (isThere(nvcc)) expect(found).toMatchObject({ status: 0 });
  else {
    console.log('NOT RUN: the starter in CUDA, which needs nvcc');
    expect(found.err).toMatch(/compiler not found \(the CUDA toolkit\)/);
  }
});

test('every op has a starter in C++ with its name, and other languages name theirs', () => {
  for (const op of PLUGGABLE) expect(template(`my_${op}`, op, 'c++')).toContain(`"${op}", "my_${op}"`);
  const missing = runCli(['kernel', 'new', 'a_norm_mlp', '--lang', 'rust', '--out', folder]);
  expect(missing.err).toMatch(/there is no starter for norm_mlp in rust, only for linear; --lang c\+\+ has all ops/);
  expect(missing.status).toBe(1);
  const absent = runCli(['kernel', 'build', path.join(folder, 'rust_linear.rs')], undefined, {
    RUSTC: 'no-such-rustc',
  });
  expect(absent.err).toMatch(/no-such-rustc: compiler not found \(https:\/\/rustup\.rs.*\); RUSTC names another/);
  const text = runCli(['kernel', 'build', __filename]);
  expect(text.err).toMatch(/expected C\+\+ \(.*\), C \(\.c\), Rust \(\.rs\), CUDA \(\.cu\) or assembly \(\.S\)/);
});
