import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildLibrary, LIBRARIES, LIBRARY_OPS, libraryAt, type BlasLibrary } from '../../bench/kernels/libraries';
import type { KernelRow } from '../../bench/kernels/measure';
import { describePlugin } from '../../bench/kernels/plugin_process';
import { tune } from '../../bench/kernels/tune';
import { OURS } from '../../bench/kernels/variant';
import { median } from '../../bench/statistics';
import { tunedFile } from '../../core/plugins';
import type { Precision } from '../../core/native';
import { threads } from '../../core/runtime';
import { writeFileAtomic } from '../../formats/atomic';
import { percent, significant, table } from '../../terminal/format';
import { withProgress } from '../../terminal/progress';
import { benchKernels } from './bench_kernels_action';
import { openHistory } from './bench_page_output';
import { defaultCases } from './kernel_choice';

/** Arguments of `morphmlp bench blas`. */
export interface BenchBlasArguments {
  op?: string[];
  stage?: number[];
  precision: Precision;
  library?: string[];
  threads?: number;
  rounds: number;
  passes: number;
  seed?: number;
  out?: string;
  html?: string;
  history?: string[];
}

const TIMEOUT_S = 120;

/** Plugins of the installed libraries, by op. */
async function buildAll(libraries: readonly BlasLibrary[], folder: string, { precision }: BenchBlasArguments) {
  const files: { op: string; file: string }[] = [];
  for (const library of libraries) {
    const built = await buildLibrary(library, folder);
    if (built === null) {
      console.log(`${library.name}: not installed; the package is ${library.packages}`);
      continue;
    }
    const found = [...built].map(([op, file]) => ({ op, file }));
    const { dtypes } = await describePlugin(found[0]!.file, { timeout: 1000 * TIMEOUT_S });
    if (dtypes.includes(precision)) files.push(...found);
    else console.log(`${library.name}: its product takes ${dtypes.join(', ')}, not ${precision}`);
  }
  return files;
}

/** Tries the settings of a library for an op at stage 3, and keeps the fastest beside the plugin. */
async function chooseSettings(op: string, file: string, given: BenchBlasArguments): Promise<void> {
  const { device, parameters, values: start } = await describePlugin(file, { timeout: 1000 * TIMEOUT_S });
  const what = { file, cases: defaultCases(op, undefined), precision: given.precision, device, parameters, start };
  const how = { trials: 8, rounds: 7, seed: given.seed ?? 1, threads: given.threads ?? threads() };
  const nothing = () => undefined;
  const { best } = await tune({
    ...{ ...what, ...how, timeout: 1000 * TIMEOUT_S, signal: new AbortController().signal },
    ...{ onStep: nothing, onBetter: nothing },
  });
  writeFileAtomic(tunedFile(file), (write) => write(Buffer.from(JSON.stringify({ op, values: best }))));
}

/** For each variant: how often it is the fastest, its median share of the limit, and its median speed relative to ours. */
function printWinners(rows: readonly KernelRow[]): void {
  const groups = new Map<string, KernelRow[]>();
  for (const row of rows) {
    const key = [row.op, row.stage, row.direction].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const fastest = [...groups.values()].map((group) => group.reduce((a, b) => (b.median < a.median ? b : a)).variant);
  const names = [...new Set(rows.map(({ variant }) => variant))];
  const cells = names.map((name) => {
    const own = rows.filter(({ variant }) => variant === name);
    const speeds = own.flatMap(({ speed }) => speed ?? []);
    const count = (verdict: string) => String(speeds.filter((one) => one.verdict === verdict).length);
    return [
      ...[name, `${fastest.filter((one) => one === name).length} of ${groups.size}`],
      ...(name === OURS.name
        ? ['1', '–', '–']
        : [significant(median(speeds.map((s) => s.median)), 3), count('faster'), count('slower')]),
      percent(median(own.map(({ shareOfLimit }) => shareOfLimit)), 0),
    ];
  });
  const head = ['variant', 'fastest in', 'times as fast as ours (median)', 'faster', 'slower', 'of limit (median)'];
  console.log(table(cells, { head }));
}

function checkAsked({ op = [], library = [] }: BenchBlasArguments): void {
  for (const name of op)
    if (!LIBRARY_OPS.some((one) => one === name))
      throw new Error(`--op ${name}: expected ${LIBRARY_OPS.join(', ')}, the ops that a product computes`);
  for (const file of library) if (!existsSync(file)) throw new Error(`--library ${file}: no such file`);
}

/** Runs `morphmlp bench blas`. */
export async function benchBlas(given: BenchBlasArguments): Promise<void> {
  checkAsked(given);
  openHistory(given);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-blas-'));
  try {
    const all = [...LIBRARIES, ...(given.library ?? []).map(libraryAt)];
    const files = (await buildAll(all, folder, given)).filter(({ op }) => given.op?.includes(op) ?? true);
    if (files.length === 0) throw new Error(`bench blas: no library here has a product in ${given.precision}`);
    await withProgress({ label: 'choosing settings', total: files.length }, async (bar) => {
      for (const [i, { op, file }] of files.entries()) {
        bar.update(i, [`${path.parse(file).name} ${op}`]);
        await chooseSettings(op, file, given);
      }
    });
    const rows = await benchKernels({
      ...given,
      ...{ plugin: files.map(({ file }) => file), device: 'cpu', clock: 'wall', peers: false, verify: true },
      timeout: TIMEOUT_S,
    });
    if (rows.length > 0) printWinners(rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
