import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { compareResults, differingTerms, regressions } from '../../src/bench/compare';
import { readResults } from '../../src/bench/results';
import { independentRatio } from '../../src/bench/statistics';
import { Philox } from '../../src/core/philox';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const cli = (...args: string[]) => runCli(['bench', 'compare', ...args]);

const noisy = (seed: number, n: number, middle: number): number[] => {
  const random = new Philox(seed);
  return Array.from({ length: n }, () => middle * (0.95 + 0.1 * random.uniform()));
};

const MACHINE = { device: 'cpu', cpu: 'X', threads: 2, kernels: 'avx2', node: 'v20', commit: 'abc', date: 'today' };

/** A row of bench kernels with times around `middle` and a roofline time of `floor`. */
function kernelRow(
  op: string,
  middle: number,
  { seed = 1, floor = 1, ...more }: { seed?: number; floor?: number; dtype?: string; launch?: string } = {},
) {
  const ms = noisy(seed, 15, middle);
  const shape = { op, stage: 1, shape: '[2]', direction: 'forward', dtype: 'f32', variant: 'morphmlp', cache: 'warm' };
  return { ...shape, flags: '-O3', ms, median: middle, shareOfLimit: floor / middle, ...more };
}

function write(
  name: string,
  rows: object[],
  { machine = {}, ...more }: { machine?: object; clock?: string; rows?: object[] } = {},
): string {
  writeFileSync(at(name), JSON.stringify({ machine: { ...MACHINE, ...machine }, rows, ...more }));
  return at(name);
}

const compared = (before: object[], after: object[]) =>
  compareResults(readResults(write('a.json', before)), readResults(write('b.json', after)));

test('classifies rows as faster, slower or unchanged and sorts the slowest first', () => {
  const before = ['gelu', 'linear', 'max'].map((op, i) => kernelRow(op, 10, { seed: i }));
  const after = [
    kernelRow('gelu', 12, { seed: 11 }),
    kernelRow('linear', 10, { seed: 12 }),
    kernelRow('max', 5, { seed: 13 }),
  ];
  const found = compared(before, after);
  expect(found.rows.map(({ what, verdict }) => `${what.split(' ')[0]} ${verdict}`)).toEqual([
    'gelu slower',
    'linear no difference',
    'max faster',
  ]);
  expect(found.rows[0]!.slowdown).toBeCloseTo(0.2, 1);
  expect(found.overall.speed).toBeCloseTo(1, 1);
  for (const { speed, againstOthers } of found.rows)
    expect(againstOthers).toBeCloseTo(speed.median / found.overall.speed, 12);
  expect(regressions(found, 15).map(({ what }) => what)).toEqual(['gelu stage 1 [2] forward f32 morphmlp warm']);
  expect(regressions(found, 25)).toEqual([]);
});

test('GPU results: each launch mode is a row, and another GPU or driver is a difference', () => {
  const rows = (['launched', 'graph'] as const).map((launch, i) => kernelRow('gelu', 1, { seed: i, launch }));
  const machine = (name: string, driver: string) => ({ device: 'cuda', gpu: { name, driver, runtimeCuda: '13.0' } });
  const before = readResults(write('a.json', rows, { machine: machine('H100', '580.1') }));
  const after = readResults(write('b.json', rows, { machine: { ...machine('H200', '580.2'), threads: 9 } }));
  expect(before.rows.map(({ what }) => what)).toEqual([
    'gelu stage 1 [2] forward f32 morphmlp warm launched',
    'gelu stage 1 [2] forward f32 morphmlp warm graph',
  ]);
  expect(differingTerms(before, after)).toEqual([
    { term: 'GPU', before: 'H100', after: 'H200' },
    { term: 'driver', before: '580.1', after: '580.2' },
  ]);
  const library = { ...machine('H100', '580.1'), products: 'cuBLASLt 13.0.2' };
  const products = differingTerms(before, readResults(write('d.json', rows, { machine: library })));
  expect(products).toEqual([{ term: 'products', before: 'own', after: 'cuBLASLt 13.0.2' }]);
  expect(differingTerms(readResults(write('c.json', rows)), after)[0]).toMatchObject({ term: 'device', after: 'cuda' });
});

test('a slower machine is not a regression: times relative to its roofline are unchanged', () => {
  const [row] = compared([kernelRow('gelu', 10)], [kernelRow('gelu', 12, { floor: 1.2 })]).rows;
  expect(row!.speed.verdict).toBe('slower');
  expect(row!.againstLimit!.verdict).toBe('no difference');
  expect(row!.verdict).toBe('no difference');
});

test('contention is not a regression: CPU time is unchanged', () => {
  const row = (middle: number, cpu: number, seed: number) => {
    const time = {
      batch: 8,
      ms: noisy(seed, 9, middle),
      cpuMs: noisy(seed + 50, 9, cpu),
      median: middle,
      shareOfPeak: 1 / middle,
    };
    return [{ network: 'image-t', time }];
  };
  const [busy] = compared(row(10, 18, 1), row(30, 18, 2)).rows;
  expect([busy!.speed.verdict, busy!.cpu!.verdict, busy!.verdict]).toEqual([
    'slower',
    'no difference',
    'no difference',
  ]);
  const [worse] = compared(row(10, 18, 1), row(30, 50, 2)).rows;
  expect(worse!.verdict).toBe('slower');
  expect(worse!.slowdown).toBeCloseTo(50 / 18 - 1, 0);
});

test('worse load balance is a regression on a quiet machine', () => {
  const row = (middle: number, others: number, seed: number) => [
    { ...kernelRow('gelu', middle), ms: noisy(seed, 9, middle), cpuMs: noisy(seed + 50, 9, 18), others },
  ];
  const verdict = (others: number) => compared(row(10, 0.02, 1), row(18, others, 2)).rows[0]!.verdict;
  expect([verdict(0.03), verdict(0.4)]).toEqual(['slower', 'no difference']);
});

test('a faster machine neither hides nor causes a regression', () => {
  const [row] = compared([kernelRow('gelu', 10)], [kernelRow('gelu', 10, { floor: 0.8 })]).rows;
  expect([row!.speed.verdict, row!.againstLimit!.verdict, row!.verdict]).toEqual([
    'no difference',
    'slower',
    'no difference',
  ]);
});

test('rows match only by all identifying fields; rows of only one file are listed', () => {
  const before = [kernelRow('gelu', 1), kernelRow('max', 1)];
  const after = [kernelRow('gelu', 1), kernelRow('max', 1, { dtype: 'bf16' })];
  const { rows, onlyBefore, onlyAfter } = compared(before, after);
  expect(rows.map(({ what }) => what)).toEqual(['gelu stage 1 [2] forward f32 morphmlp warm']);
  expect(onlyBefore).toEqual(['max stage 1 [2] forward f32 morphmlp warm']);
  expect(onlyAfter).toEqual(['max stage 1 [2] forward bf16 morphmlp warm']);
});

test('reads rows of bench paper, bench models and older files', () => {
  const time = { batch: 8, ms: [1, 2, 3], median: 2, shareOfPeak: 0.5 };
  const paper = readResults(
    write('p.json', [
      { network: 'image-t', time },
      { network: 'image-s', time: null },
    ]),
  );
  expect(paper).toMatchObject({ kind: 'paper', rows: [{ what: 'image-t, batch 8', ms: [1, 2, 3], rooflineMs: 1 }] });
  const models = readResults(
    write('m.json', [{ case: 'video-s-16 forward 1', peer: 'pytorch', medianMs: 4, ms: [4], shareOfPeak: 0.25 }]),
  );
  expect(models).toMatchObject({ kind: 'models', rows: [{ what: 'video-s-16 forward 1 pytorch f32', rooflineMs: 1 }] });
  const old = { op: 'gelu', stage: 1, shape: '[2]', direction: 'forward', ms: 2, allMs: [1, 2, 3], shareOfLimit: 0.5 };
  expect(readResults(write('o.json', [old])).rows).toEqual([
    {
      what: 'gelu stage 1 [2] forward f32 morphmlp warm',
      ms: [1, 2, 3],
      cpuMs: null,
      others: null,
      rooflineMs: 1,
      flags: '',
      of: 'gelu stage 1 [2] forward f32 warm',
      op: 'gelu',
      variant: 'morphmlp',
      rates: null,
      speed: null,
    },
  ]);
});

test.each([
  ['threads', { machine: { threads: 1 } }, 'threads (2; 1)'],
  ['processors', { machine: { cpu: 'Y' } }, 'processor (X; Y)'],
  ['instruction sets', { machine: { kernels: 'avx512' } }, 'instruction set (avx2; avx512)'],
  ['clocks', { clock: 'cpu' }, 'clock (wall; cpu)'],
  ['flags', { rows: [{ ...kernelRow('gelu', 1), flags: '-O2' }] }, 'compiler flags (-O3; -O2)'],
])('different %s are refused, and reported with --force', (_, change, message) => {
  const [a, b] = [write('a.json', [kernelRow('gelu', 1)]), write('b.json', [kernelRow('gelu', 1)], change)];
  expect(differingTerms(readResults(a), readResults(b))).toHaveLength(1);
  const refused = cli(a, b);
  expect(refused).toMatchObject({ status: 1, out: '' });
  expect(refused.err).toContain(`were measured under different terms: ${message}; --force compares them all the same`);
  const forced = cli(a, b, '--force');
  expect(forced.status).toBe(0);
  expect(forced.err).toContain(message);
  expect(forced.out).toMatch(/gelu stage 1 .*no difference/);
});

test('--fail-above exits with status 1 and names regressions; --out writes the comparison', () => {
  const [a, b] = [write('a.json', [kernelRow('gelu', 10)]), write('b.json', [kernelRow('gelu', 12, { seed: 2 })])];
  const failed = cli(a, b, '--fail-above', '10', '--out', at('c.json'));
  expect(failed.status).toBe(1);
  expect(failed.err).toMatch(/slower {2}gelu stage 1 .*: (1\d|2\d)\.\d% more time/);
  expect(failed.out).toMatch(/1 slower, 0 faster, 0 without a difference/);
  expect(cli(a, b, '--fail-above', '30').status).toBe(0);
  expect(cli(a, b).status).toBe(0);
});

const whole = JSON.stringify({ machine: MACHINE, rows: [kernelRow('gelu', 1)] });

test.each([
  ['cut short', whole.slice(0, -20), 'expected JSON, got truncated or malformed text'],
  ['empty', ' \n', 'the file is empty'],
  ['text', 'hello', 'expected JSON, got truncated or malformed text'],
  ['not ours', '{"name":"x"}', 'not a bench results file: expected an object with machine and rows'],
  ['a list', '[]', 'not a bench results file'],
  ['null', 'null', 'not a bench results file'],
  ['without rows', JSON.stringify({ machine: MACHINE, rows: [] }), 'the file has no rows'],
  [
    'of other rows',
    JSON.stringify({ machine: MACHINE, rows: [{ what: 'gemm' }] }),
    'not a bench results file: expected rows of bench kernels, bench paper or bench models',
  ],
  [
    'of mixed rows',
    JSON.stringify({ machine: MACHINE, rows: [kernelRow('gelu', 1), 7] }),
    'row 2 is not a row of bench kernels',
  ],
  [
    'without times',
    JSON.stringify({ machine: MACHINE, rows: [{ op: 'gelu', stage: 1 }] }),
    'gelu stage 1 f32 morphmlp warm: expected the times of its rounds in ms',
  ],
  [
    'with times of 0',
    JSON.stringify({ machine: MACHINE, rows: [{ ...kernelRow('gelu', 1), ms: [0, 1] }] }),
    'expected the times of its rounds in ms',
  ],
  [
    'of counts alone',
    JSON.stringify({ machine: MACHINE, rows: [{ network: 'image-t', time: null }] }),
    'the file contains no timed row',
  ],
])('a file that is %s is refused with a clear message', (_, text, message) => {
  writeFileSync(at('bad.json'), text);
  expect(() => readResults(at('bad.json'))).toThrow(`${at('bad.json')}: `);
  expect(() => readResults(at('bad.json'))).toThrow(message);
});

test('a missing file, a folder, two kinds and disjoint rows are refused', () => {
  mkdirSync(at('folder'));
  expect(() => readResults(at('none.json'))).toThrow(`${at('none.json')}: file not found`);
  expect(() => readResults(at('folder'))).toThrow(`${at('folder')}: expected a file, got a folder`);
  const paper = write('p.json', [{ network: 'image-t', time: { batch: 8, ms: [1] } }]);
  const kernels = write('k.json', [kernelRow('gelu', 1)]);
  expect(cli(paper, kernels).err).toMatch(
    /expected two files of one benchmark, got bench paper \(.*p\.json\) and bench kernels \(.*k\.json\)/,
  );
  expect(() => compared([kernelRow('gelu', 1)], [kernelRow('max', 1)])).toThrow(
    /^.*a\.json and .*b\.json have no row in common \(the first row of the former is gelu stage 1/,
  );
});

/** Counts the orders of n + m numbers by their number of inverted pairs, by enumeration. */
function ordersByHand(n: number, m: number): number[] {
  const ways = new Array<number>(n * m + 1).fill(0);
  for (let mask = 0; mask < 1 << (n + m); mask++) {
    const first = Array.from({ length: n + m }, (_, i) => ((mask >> i) & 1) === 1);
    if (first.filter(Boolean).length !== n) continue;
    const u = first.reduce((sum, is, i) => sum + (is ? first.slice(0, i).filter((other) => !other).length : 0), 0);
    ways[u]!++;
  }
  return ways;
}

test.each([
  [3, 3],
  [4, 5],
  [7, 4],
  [6, 6],
])('the interval of %d and %d rounds leaves out as many pairs as all orders of them say', (n, m) => {
  const ways = ordersByHand(n, m);
  const total = ways.reduce((a, b) => a + b, 0);
  let rank = 0;
  for (let sum = ways[0]!; sum / total <= 0.025; sum += ways[rank]!) rank++;
  const [a, b] = [noisy(1, n, 3), noisy(2, m, 3)];
  const pairs = a.flatMap((x) => b.map((y) => x / y)).sort((x, y) => x - y);
  const { low, high } = independentRatio(a, b);
  expect([low, high]).toEqual([pairs[Math.max(0, rank - 1)], pairs[pairs.length - 1 - Math.max(0, rank - 1)]]);
});

test('equal distributions differ in about one of 20 comparisons', () => {
  const verdicts = Array.from(
    { length: 400 },
    (_, i) => independentRatio(noisy(2 * i, 15, 1), noisy(2 * i + 1, 11, 1)).verdict,
  );
  const wrong = verdicts.filter((v) => v !== 'no difference').length;
  expect(wrong).toBeLessThan(400 * 0.08);
  expect(wrong).toBeGreaterThan(0);
});
