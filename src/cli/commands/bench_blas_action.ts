import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildLibrary, LIBRARIES, LIBRARY_OPS, libraryAt, type BlasLibrary } from '../../bench/kernels/libraries';
import type { KernelRow } from '../../bench/kernels/measure';
import { describePlugin, runJob } from '../../bench/kernels/plugin_process';
import type { Failure, PluginDescription } from '../../bench/kernels/protocol';
import { OURS } from '../../bench/kernels/variant';
import { median } from '../../bench/statistics';
import { tunedFile } from '../../core/plugins';
import type { Precision } from '../../core/native';
import { instructionSet, threads } from '../../core/runtime';
import { writeFileAtomic } from '../../formats/atomic';
import { percent, significant, table } from '../../terminal/format';
import { withProgress } from '../../terminal/progress';
import { benchKernels } from './bench_kernels_action';
import { openHistory } from './bench_page_output';
import { defaultCases } from './kernel_choice';
import { printFailures } from './kernel_table';

/** Arguments of `morphmlp bench blas`. */
export interface BenchBlasArguments {
  op?: string[];
  stage?: number[];
  precision: Precision;
  library?: string[];
  clock: 'wall' | 'cpu';
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
async function buildAll(libraries: readonly BlasLibrary[], folder: string, given: BenchBlasArguments) {
  const { precision } = given;
  const files: { op: string; file: string }[] = [];
  for (const library of libraries) {
    const built = await buildLibrary(library, folder);
    if (built === null) {
      console.log(`${library.name}: not installed; the package is ${library.packages}`);
      continue;
    }
    const found = [...built].map(([op, file]) => ({ op, file }));
    const { dtypes } = await describePlugin(found[0]!.file, { timeout: 1000 * TIMEOUT_S });
    if (dtypes.includes(precision)) {
      await chooseEnvironment(library, built.get('linear')!, given);
      files.push(...found);
    } else console.log(`${library.name}: its product takes ${dtypes.join(', ')}, not ${precision}`);
  }
  return files;
}

/** A setting of a library's plugin, and its time. */
interface Timed {
  values: Record<string, number>;
  ms: number;
}

/** Times the settings of a library for an op in turn, forward and backward together. The fastest is first. */
async function timeSettings(op: string, file: string, given: BenchBlasArguments): Promise<Timed[]> {
  const options = { timeout: 1000 * TIMEOUT_S };
  const { device, parameters } = await describePlugin(file, options);
  const [{ name, values }] = parameters as [PluginDescription['parameters'][number]];
  const settings = values.map((value) => ({ [name]: value }));
  const what = { op: defaultCases(op, undefined)[0]!.op, stage: 3, precision: given.precision, device, file };
  const how = { rounds: 9, seed: given.seed ?? 1, threads: given.clock === 'cpu' ? 1 : (given.threads ?? threads()) };
  const outcome = await runJob('trial', { ...what, ...how, values: settings }, options);
  if ('problem' in outcome) throw new Error(outcome.problem);
  const times = outcome.result.map((directions) => directions.reduce((sum, ms) => sum + median(ms), 0));
  return settings.map((values, i) => ({ values, ms: times[i]! })).sort((a, b) => a.ms - b.ms);
}

/** Keeps the fastest settings of a library for an op beside the plugin, which reads them when it is loaded. */
async function chooseSettings(op: string, file: string, given: BenchBlasArguments): Promise<void> {
  const [best] = await timeSettings(op, file, given);
  writeFileAtomic(tunedFile(file), (write) => write(Buffer.from(JSON.stringify({ op, values: best!.values }))));
}

/** Sets the environment of a library with which its product is fastest; variables that the user has set stay. */
async function chooseEnvironment({ name, environments = [] }: BlasLibrary, file: string, given: BenchBlasArguments) {
  const free = environments.filter((one) => Object.keys(one).every((variable) => process.env[variable] === undefined));
  if (free.length === 0 || !instructionSet().startsWith('avx512')) return;
  const time = async (): Promise<number> => (await timeSettings('linear', file, given))[0]!.ms;
  let [best, least] = [{}, await time()];
  for (const environment of free) {
    Object.assign(process.env, environment);
    const ms = await time().catch(() => Infinity); // a release may not know the value
    for (const variable in environment) delete process.env[variable];
    if (ms < least) [best, least] = [environment, ms];
  }
  Object.assign(process.env, best);
  for (const [variable, value] of Object.entries(best))
    console.log(`${name}: fastest with ${variable}=${value}, which is set`);
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
  const failures: Failure[] = [];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-blas-'));
  try {
    const all = [...LIBRARIES, ...(given.library ?? []).map(libraryAt)];
    const files = (await buildAll(all, folder, given)).filter(({ op }) => given.op?.includes(op) ?? true);
    if (files.length === 0) throw new Error(`bench blas: no library here has a product in ${given.precision}`);
    const usable = await withProgress({ label: 'choosing settings', total: files.length }, async (bar) => {
      const right: typeof files = [];
      for (const [i, { op, file }] of files.entries()) {
        bar.update(i, [`${path.parse(file).name} ${op}`]);
        try {
          await chooseSettings(op, file, given);
          right.push({ op, file });
        } catch (error) {
          failures.push({ plugin: path.parse(file).name, at: op, problem: (error as Error).message });
        }
      }
      return right;
    });
    if (usable.length === 0) return;
    const rows = await benchKernels({
      ...given,
      ...{ plugin: usable.map(({ file }) => file), device: 'cpu', peers: false, verify: true },
      timeout: TIMEOUT_S,
    });
    if (rows.length > 0) printWinners(rows);
  } finally {
    printFailures(failures);
    rmSync(folder, { recursive: true });
  }
}
