import { randomInt } from 'node:crypto';
import path from 'node:path';
import { describePlugin, runKernelJob } from '../../bench/kernels/plugin_process';
import type { Failure, KernelResult } from '../../bench/kernels/protocol';
import type { KernelCase } from '../../bench/kernels/kernel_case';
import { benchCase, type KernelOptions, type KernelRow } from '../../bench/kernels/measure';
import { machine, type Machine } from '../../bench/machine';
import { casesInBf16, chooseCases, sizedCases, stemOf } from '../../bench/kernels/ops';
import { placeOf, type Sizes, type SWEPT } from '../../bench/kernels/stages';
import { joinPasses } from '../../bench/passes';
import type { CacheState, Launch } from '../../bench/kernels/rounds';
import { blasVariants, wgmmaVariants, OURS, type Variant } from '../../bench/kernels/variant';
import { precisionOf } from '../../bench/op_cases/bf16';
import { eventLoop } from '../../core/event_loop';
import { writeFileAtomic } from '../../formats/atomic';
import { PLUGGABLE, requirePluginDevice } from '../../core/plugins';
import type { Device, Precision } from '../../core/native';
import { requireDevice, setThreads, threads } from '../../core/runtime';
import { setDefaultDevice } from '../../core/tensor';
import { othersText, printCounts, printFailures, printMissing, printRows } from './kernel_table';
import { openHistory, writePage } from './bench_page_output';
import { withProgress, type Progress } from '../../terminal/progress';

/** A size and the values that it takes in turn. */
export interface Swept {
  name: (typeof SWEPT)[number];
  values: number[];
}

/** Arguments of `morphmlp bench kernels`. */
export interface BenchKernelsArguments {
  op?: string[];
  plugin?: string[];
  stage?: number[];
  device: Device;
  precision: Precision;
  cache?: CacheState | 'both';
  launch?: Launch | 'both';
  /** [B, T, H, W, C] of the tokens, in place of those of the stage. */
  shape?: number[];
  sweep?: Swept[];
  clock: 'wall' | 'cpu';
  threads?: number;
  rounds: number;
  passes: number;
  seed?: number;
  timeout: number;
  verify: boolean;
  /** false: plugins beside ours alone. */
  peers?: boolean;
  perf?: boolean;
  out?: string;
  html?: string;
  history?: string[];
}

/** Throws if the requested combination cannot be measured; nothing is substituted. */
function checkAsked({ device, launch, clock, perf }: BenchKernelsArguments): void {
  if (perf && device === 'cuda') throw new Error('--perf: expected --device cpu; a GPU has other counters');
  requireDevice(device);
  if (device === 'cpu' && launch) throw new Error(`--launch ${launch}: expected --device cuda; the CPU knows one way`);
  if (device === 'cuda' && clock === 'cpu') throw new Error('--clock cpu: on a GPU its own timer is the clock');
}

const either = <T extends string>(asked: T | 'both', all: readonly T[]): readonly T[] =>
  asked === 'both' ? all : [asked];

/** Cache states and launch modes to measure: on a GPU all four combinations by default. */
function regimesOf({ device, cache, launch }: BenchKernelsArguments) {
  const caches = either(cache ?? (device === 'cuda' ? 'both' : 'warm'), ['warm', 'cold']);
  return device === 'cuda' ? { caches, launches: either(launch ?? 'both', ['launched', 'graph']) } : { caches };
}

/** The sizes to measure: those of `--shape` with each combination of the swept ones. */
function sweep({ shape, sweep: swept = [] }: BenchKernelsArguments): Sizes[] {
  return swept.reduce<Sizes[]>(
    (all, { name, values }) => all.flatMap((sizes) => values.map((value) => ({ ...sizes, [name]: value }))),
    [shape ? { shape } : {}],
  );
}

/** Cases to measure, and the plugins for each op. */
interface Work {
  cases: KernelCase[];
  pluginsOf: (c: KernelCase) => string[];
  failures: Failure[];
}

/** Reads the op of each plugin; plugins that cannot be loaded are added to the failures. */
async function openAll(files: readonly string[], { device, precision, timeout }: BenchKernelsArguments) {
  const [ops, failures] = [new Map<string, string>(), [] as Failure[]];
  for (const file of files.map((name) => path.resolve(name))) {
    try {
      const found = await describePlugin(file, { timeout: 1000 * timeout });
      requirePluginDevice({ file, device: found.device }, device);
      if (!found.dtypes.includes(precision))
        throw new Error(`it takes activations in ${found.dtypes.join(', ')}, not in ${precision} (--precision)`);
      ops.set(file, found.op);
    } catch (error) {
      failures.push({ plugin: file, at: '', problem: (error as Error).message });
    }
  }
  return { ops, failures };
}

async function workOf(given: BenchKernelsArguments): Promise<Work> {
  const { op, stage, plugin = [], precision } = given;
  const { ops, failures } = await openAll(plugin, given);
  const pluginsOf = (c: KernelCase) => [...ops].filter(([, its]) => its === stemOf(c)).map(([file]) => file);
  if (plugin.length > 0 && ops.size === 0) return { cases: [], pluginsOf, failures };
  const cases = chooseCases(op ?? (plugin.length > 0 ? [...new Set(ops.values())] : undefined), stage);
  for (const [file, its] of ops)
    if (!cases.some((c) => stemOf(c) === its)) throw new Error(`${file} is a kernel for ${its}, which --op leaves out`);
  const sized = sweep(given).flatMap((sizes) => sizedCases(cases, sizes));
  return { cases: precision === 'bf16' ? casesInBf16(sized) : sized, pluginsOf, failures };
}

/** Variants without plugins: ours, and on a GPU the available library products (see `kernel_table.ts`). */
function besideOurs(c: KernelCase, device: Device): Variant[] {
  const op = device === 'cuda' && PLUGGABLE.find((name) => name === stemOf(c));
  if (!op) return [OURS];
  return [OURS, ...(precisionOf(c.timed) === 'bf16' ? wgmmaVariants(op) : blasVariants(op))];
}

type Timing = Omit<KernelOptions, 'onStep' | 'onFailure'>;
type OnStep = (file: string | null, doing: string) => void;

/** Measures one case in this process, or with plugins in a child process. */
async function measureCase(
  given: BenchKernelsArguments,
  c: KernelCase,
  { plugins, time, onStep }: { plugins: string[]; time: Timing; onStep: OnStep },
): Promise<Pick<KernelResult, 'rows' | 'failures'>> {
  if (!given.plugin) {
    const failures: Failure[] = [];
    const onFailure = ({ name }: Variant, { message }: Error) =>
      void failures.push({ plugin: name, at: placeOf(c), problem: message });
    return { rows: benchCase(c, besideOurs(c, given.device), { ...time, onFailure }), failures };
  }
  const { seed, ...rest } = time;
  const { op, stage, sizes = {} } = c;
  const choice = { op, stage, precision: given.precision, sizes };
  const job = {
    ...choice,
    plugins,
    device: given.device,
    seed,
    time: rest,
    threads: threads(),
    withoutPeers: given.peers === false,
  };
  return runKernelJob(job, { timeout: 1000 * given.timeout, onStep });
}

/** As `measureCase`, but records an error as a failure of ours, so that the rows of other cases are kept. */
async function tryCase(...args: Parameters<typeof measureCase>): ReturnType<typeof measureCase> {
  try {
    return await measureCase(...args);
  } catch (error) {
    return { rows: [], failures: [{ plugin: OURS.name, at: placeOf(args[1]), problem: (error as Error).message }] };
  }
}

/** Measures every case once; skips plugins and cases that failed in an earlier pass. */
async function onePass(given: BenchKernelsArguments, work: Work, time: Timing, bar: Progress): Promise<KernelRow[]> {
  const { cases, pluginsOf, failures } = work;
  const rows: KernelRow[] = [];
  for (const [i, c] of cases.entries()) {
    await eventLoop();
    const onStep: OnStep = (file, doing) =>
      bar.update(i, [placeOf(c), file ? `${path.basename(file)} ${doing}` : doing]);
    const failed = failures.filter(({ at }) => at === placeOf(c)).map(({ plugin }) => plugin);
    if (failed.includes(OURS.name)) continue;
    const plugins = pluginsOf(c).filter((file) => !failed.includes(file));
    const found = await tryCase(given, c, { plugins, time, onStep });
    rows.push(...found.rows);
    failures.push(...found.failures);
    bar.update(i + 1);
  }
  return rows;
}

/** Runs all passes. Only the first compares with float64; all verify the timed outputs. */
async function measure(given: BenchKernelsArguments, work: Work): Promise<KernelRow[]> {
  const { passes, verify, clock } = given;
  const rounds = Math.ceil(given.rounds / passes);
  const time = {
    rounds,
    clock,
    ...regimesOf(given),
    seed: given.seed ?? randomInt(2 ** 20),
    perf: given.perf ?? false,
  };
  const all: KernelRow[][] = [];
  for (let pass = 1; pass <= passes; pass++) {
    const label = passes > 1 ? `measuring, pass ${pass} of ${passes}` : 'measuring';
    const total = work.cases.length;
    const check = verify && pass === 1;
    all.push(await withProgress({ label, total }, (bar) => onePass(given, work, { ...time, check }, bar)));
  }
  return joinPasses(all);
}

/** Description of the device. */
function whereText({ gpu, cpu, threads: count, kernels }: Machine): string {
  if (!gpu) return `${cpu}, ${count} threads, ${kernels}`;
  const driver = gpu.driver ? `driver ${gpu.driver}` : `driver for CUDA ${gpu.driverCuda}`;
  const clocks = `up to ${gpu.clockMhz} MHz, memory ${gpu.memoryClockMhz} MHz on ${gpu.memoryBusBits} bits`;
  return `${gpu.name}, ${gpu.architecture}, ${clocks}, L2 ${(gpu.l2Bytes / 2 ** 20).toFixed(0)} MiB, ${driver}, kernels for ${kernels}`;
}

/** Runs `morphmlp bench kernels`, and returns its rows. */
export async function benchKernels(given: BenchKernelsArguments): Promise<KernelRow[]> {
  checkAsked(given);
  const { rounds, clock, out } = given;
  const earlier = openHistory(given);
  setDefaultDevice(given.device);
  setThreads(clock === 'cpu' ? 1 : (given.threads ?? threads()));
  const work = await workOf(given);
  const rows = await measure(given, work);
  const where = machine();
  if (rows.length > 0) {
    printRows(rows);
    if (given.perf) printCounts(rows);
    printMissing(rows, given);
    console.log(
      `${whereText(where)}, commit ${where.commit ?? `of ${where.version}`}; ${given.precision}, medians of ${rounds} rounds`,
    );
    console.log(othersText(rows));
  }
  const { failures } = work;
  const text = JSON.stringify({ machine: where, clock, rows, failures }, null, 1);
  if (out) writeFileAtomic(out, (write) => write(Buffer.from(`${text}\n`)));
  if (rows.length > 0) writePage(given, earlier, { text, failures });
  printFailures(failures);
  return rows;
}
