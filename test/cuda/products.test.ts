/** cuBLASLt in place of our products of dense matrices: loops stand in for it, so what is seen is that our calls mean what they should. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { whyNoWgmma } from '../../src/bench/kernels/variant';
import { native } from '../../src/core/native';
import { canLackWgmma, LACKING_WGMMA } from '../support/wgmma';
import { cLibrary } from '../support/c_library';
import { cublasLtStandIn } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
let library = '';
beforeAll(() => void (library = cublasLtStandIn(folder)));

/** Runs test/support/run_products.ts with the library there, and `more` in its environment. */
function run(more: NodeJS.ProcessEnv, ...args: string[]) {
  const script = path.join(__dirname, '..', 'support', 'run_products.ts');
  const env = { ...process.env, MORPHMLP_CUBLASLT: library, ...more };
  const options = { env, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
  return spawnSync(process.execPath, ['--import', 'tsx', script, ...args], options);
}

test('ops are right, forward and gradients, in f32 and bf16, and their dense products are the library’s', () => {
  const { status, stdout, stderr } = run({ MORPHMLP_GEMM: 'cublaslt', CUBLASLT_TRACE: '1' });
  const [products, rest] = [new Set<string>(), [] as string[]];
  for (const line of stderr.split('\n').filter(Boolean))
    if (/^(f32|bf16) product \[/.test(line)) products.add(line);
    else rest.push(line);
  expect({ status, rest }).toEqual({ status: 0, rest: [] });
  const name = `cuBLASLt 12.3.4 (${library})`;
  expect(stdout).toBe(`22 ${name}\ncuda (${native.cudaDevice()}; products by ${name})\n`);
  // [rows, n, k] of forward, of x's gradient and of the weight's: [5, 31, 16] has no bias, so results stay as they are.
  expect([...products].filter((line) => /\[(5, 31, 16|5, 16, 31|31, 16, 5)\]/.test(line)).sort()).toEqual([
    ...['bf16 product [31, 16, 5] to f32', 'bf16 product [5, 16, 31] to bf16', 'bf16 product [5, 31, 16] to bf16'],
    ...['f32 product [31, 16, 5] to f32', 'f32 product [5, 16, 31] to f32', 'f32 product [5, 31, 16] to f32'],
  ]);
  // With GELU what comes next takes f32, and rounds once.
  expect(products).toContain('bf16 product [5, 24, 40] to f32');
  expect(products).not.toContain('bf16 product [5, 24, 40] to bf16');
  // The second FC of the MLP at a width that has no kernel of its own: the hidden numbers are in memory.
  expect(products).toContain('bf16 product [10, 40, 24] to f32');
});

test('without being asked for it computes nothing, whether it is there or not', () => {
  const { status, stdout, stderr } = run({ CUBLASLT_TRACE: '1', MORPHMLP_GEMM: '' }, 'bench');
  expect(status).toBe(0);
  const rows = stdout.trim().split('\n');
  const of = (variant: string, flags: string) =>
    ['launched', 'graph'].flatMap((launch) =>
      ['forward', 'backward'].map((direction) => `${variant} ${direction} ${launch} ${flags}`),
    );
  const flags = native.cudaFlags();
  const theirs = of('cuBLASLt', `${flags}; products by cuBLASLt 12.3.4 (${library})`);
  const lacks = whyNoWgmma();
  const wgmma = lacks
    ? [`no rows of wgmma: ${lacks}`]
    : of('wgmma', `${flags}; products by own kernels, bf16 by wgmma`);
  expect(rows.slice(0, -1).sort()).toEqual([...of('morphmlp', flags), ...wgmma, ...theirs].sort());
  expect(rows.at(-1)).toBe('own'); // as before its turns
  expect(stderr).toContain('bf16 product [40, 24, 20] to f32');
  const missing = run({ MORPHMLP_CUBLASLT: '/nowhere.so', MORPHMLP_GEMM: 'own' }, 'bench');
  expect(missing).toMatchObject({ status: 0, stderr: '' });
  expect(missing.stdout.match(/^.*cuBLASLt.*$/gm)).toEqual([
    'no rows of cuBLASLt: /nowhere.so of MORPHMLP_CUBLASLT cannot be loaded',
  ]);
});

const lackingWgmma = canLackWgmma() ? test : test.skip;

lackingWgmma('without wgmma the benchmark says why', () => {
  const { status, stdout } = run({ ...LACKING_WGMMA, MORPHMLP_GEMM: '' }, 'bench');
  expect(status).toBe(0);
  expect(stdout.match(/^.*wgmma.*$/gm)).toEqual([expect.stringMatching(/^no rows of wgmma: [^:]+$/)]);
  expect(stdout).toMatch(/^cuBLASLt forward launched /m);
});

/** cuBLASLt takes for granted that all lies at multiples of 256 bytes, unless it is told otherwise. */
test('tensors of a caller of the C library may begin at any 16 bytes', () => {
  const script = path.join(__dirname, '..', 'c_api', 'products.py');
  const env = { ...process.env, MORPHMLP_CUBLASLT: library, MORPHMLP_GEMM: 'cublaslt', CUBLASLT_TRACE: '1' };
  const { status, stdout, stderr } = spawnSync('python3', [script, cLibrary(), 'cuda'], { env, encoding: 'utf8' });
  expect(stderr).toBe('f32 product [5, 3, 4] to f32\n'.repeat(5));
  expect({ status, stdout }).toEqual({ status: 0, stdout: '0.0 0.0 0.0 0.0 0.0\n' });
});

const ask = (MORPHMLP_GEMM: string, file: string, ...args: string[]) =>
  runCli(args, undefined, { MORPHMLP_GEMM, MORPHMLP_CUBLASLT: file });

test.each([
  [
    'cublaslt',
    /^morphmlp: MORPHMLP_GEMM: cublaslt was asked for, but \/nowhere\.so of MORPHMLP_CUBLASLT cannot be loaded\n$/,
  ],
  ['cublas', /^morphmlp: MORPHMLP_GEMM: expected own, wgmma or cublaslt, got 'cublas'\n$/],
])('MORPHMLP_GEMM=%s, which is not there, is an error with the reason', (asked, message) => {
  const bench = ask(asked, '/nowhere.so', 'bench', 'kernels', '--device', 'cuda', '--op', 'gelu');
  expect(bench.err).toMatch(message);
  expect(bench).toMatchObject({ status: 1, out: '' });
  expect(ask(asked, '/nowhere.so', 'bench', 'kernels', '--op', 'sort').err).toMatch(/op 'sort' is not one of/); // on the CPU
});

test('doctor says who computes the products', () => {
  const products = (asked: string, file = library) => /^ *products: (.*)$/m.exec(ask(asked, file, 'doctor').out)?.[1];
  expect(products('')).toBe('our own kernels');
  expect(products('cublaslt')).toBe(`cuBLASLt 12.3.4 (${library})`);
  expect(products('cublaslt', '/nowhere.so')).toMatch(
    /^none: MORPHMLP_GEMM: cublaslt was asked for, but \/nowhere\.so/,
  );
});
