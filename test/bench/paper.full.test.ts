import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { countRuns, timeRows, type PaperRow } from '../../src/bench/paper/measure';
import { PAPER } from '../../src/bench/paper/tables';
import { runCli } from '../support/run_cli';
import { SMALL_NETWORK } from '../support/small_network';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('rows are timed in interleaved rounds, shared networks once, ablations against the published network', async () => {
  const rows = PAPER.filter(({ table }) => table === 10 || table === 8).map((entry) => {
    const { ablation = {} } = entry.config;
    return { ...entry, config: { ...SMALL_NETWORK, ablation } };
  });
  const ran: string[] = [];
  const found = await timeRows(rows, { rounds: 2, batch: () => 1, onRun: (name) => ran.push(name) });
  expect(ran).toHaveLength(countRuns(rows, 2));
  expect(ran.slice(0, 7)).toEqual(['C/L', 'C/2L', '2C/L', 'MorphFC, simple ops', 'conv 3x3', 'conv 7x7', 'group conv']);
  expect(found.map(({ name }) => name)).toEqual(rows.map(({ name }) => name));
  for (const { name, macs, time } of found) {
    expect(time!.ms).toHaveLength(2);
    expect(time!.error).toBeLessThan(2e-6);
    expect(time!.gflops).toBeCloseTo((2 * macs) / time!.median / 1e6, 6);
    expect(time!.speed === null).toBe(name === 'C/L' || name === 'MorphFC');
  }
});

test('bench compare reads the results of bench paper', () => {
  const file = path.join(folder, 'paper.json');
  const { status, out } = runCli(['bench', 'paper', '--table', '9', '--rounds', '1', '--batch', '1', '--out', file]);
  expect(status).toBe(0);
  expect(out).toMatch(/H\+W\+C sum +21.68M +– +– +3.96 +– +– +1 +[\d.]+ .*%/);
  const written = JSON.parse(readFileSync(file, 'utf8')) as { rows: PaperRow[] };
  expect(written.rows.map(({ time }) => time!.ms.length)).toEqual([1, 1, 1, 1]);
  const compared = runCli(['bench', 'compare', file, file]);
  expect(compared.out).toMatch(
    /image-t, branches H\+W, weighting sum, batch 1 .* 1 \(1–1\) +1 \(1–1\) +[\d.]+ +no difference/,
  );
});
