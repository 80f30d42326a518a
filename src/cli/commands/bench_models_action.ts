import { machine } from '../../bench/machine';
import { CASES, PEER_NAMES, type PeerName } from '../../bench/models/case';
import { measureModel, type ModelRow } from '../../bench/models/measure';
import type { Failure } from '../../bench/kernels/protocol';
import type { Launch } from '../../bench/kernels/rounds';
import { missingPeers } from '../../bench/models/peer';
import { writeFileAtomic } from '../../formats/atomic';
import type { Device, Precision } from '../../core/native';
import { requireDevice, setThreads, threads } from '../../core/runtime';
import { setDefaultDevice } from '../../core/tensor';
import { percent, significant, table } from '../../terminal/format';
import { printFailures } from './kernel_table';
import { openHistory, writePage } from './bench_page_output';
import { withProgress } from '../../terminal/progress';

/** Arguments of `morphmlp bench models`. */
export interface BenchModelsArguments {
  cases?: string[];
  device: Device;
  precision: Precision;
  peers?: true | PeerName[];
  rounds: number;
  recompute?: number;
  launch?: Launch;
  threads?: number;
  out?: string;
  html?: string;
  history?: string[];
}

function cells(row: ModelRow, ours: ModelRow): string[] {
  return [
    ...[row.case, row.peer, row.medianMs.toFixed(1), significant(row.perSecond, 3), row.gflops.toFixed(0)],
    ...[percent(row.shareOfPeak, 0), `${row.peakMb.toFixed(0)} MB`, row.error.toExponential(1)],
    row === ours ? '' : `${(row.medianMs / ours.medianMs).toFixed(2)}x as fast`,
  ];
}

function printModels(rows: readonly ModelRow[]): void {
  const head = ['case', 'of', 'ms', 'per second', 'GFLOP/s', 'of peak', 'memory', 'error', 'ours is'];
  const ours = (row: ModelRow) => rows.find((one) => one.case === row.case && one.peer === 'morphmlp')!;
  console.log(
    table(
      rows.map((row) => cells(row, ours(row))),
      { head },
    ),
  );
}

const textOf = (rows: readonly ModelRow[], failures: readonly Failure[]): string =>
  JSON.stringify({ machine: machine(), rows, failures }, null, 1);

function write(out: string, rows: readonly ModelRow[], failures: readonly Failure[]): void {
  writeFileAtomic(out, (to) => to(Buffer.from(`${textOf(rows, failures)}\n`)));
}

/** Measures all cases; one that fails is added to the failures, and the others are still measured. */
async function measureAll(names: readonly string[], given: BenchModelsArguments, failures: Failure[]) {
  const { rounds, device, precision, recompute, launch = 'launched', out } = given;
  const [rows, missing]: [ModelRow[], string[]] = [[], []];
  const peers = given.peers === true ? PEER_NAMES : (given.peers ?? []);
  const terms = {
    ...(recompute === undefined ? {} : { recompute }),
    peers,
    rounds,
    device,
    precision,
    launch,
    threads: threads(),
  };
  const onMissing = (problem: string) => missing.push(problem);
  await withProgress({ label: 'measuring', total: names.length }, async (bar) => {
    for (const [i, name] of names.entries()) {
      const onStep = (doing: string) => bar.update(i, [name, doing]);
      try {
        rows.push(...(await measureModel(name, { ...terms, onStep, onMissing })));
      } catch (error) {
        failures.push({ plugin: 'morphmlp', at: name, problem: (error as Error).message });
      }
      if (out) write(out, rows, failures); // keeps results if the process ends in a later case
      bar.update(i + 1);
    }
  });
  for (const problem of missing) console.error(`left out: ${problem}`);
  return rows;
}

/** Throws if an option does not apply. */
function checkAsked(names: readonly string[], { recompute, device, launch }: BenchModelsArguments): void {
  if (recompute && !names.some((name) => name.includes(' train ')))
    throw new Error(
      `--recompute ${recompute}: expected a training step among --cases, but they are ${names.join(', ')}`,
    );
  if (device === 'cpu' && launch) throw new Error(`--launch ${launch}: expected --device cuda; the CPU knows one way`);
  requireDevice(device);
}

/** Runs `morphmlp bench models`. */
export async function benchModels(given: BenchModelsArguments): Promise<void> {
  const names = given.cases ?? CASES[given.device];
  checkAsked(names, given);
  const earlier = openHistory(given);
  setDefaultDevice(given.device);
  setThreads(given.threads ?? threads());
  if (given.peers) missingPeers(given).forEach((hint) => console.log(`absent: ${hint}`));
  const failures: Failure[] = [];
  const rows = await measureAll(names, given, failures);
  const where = machine();
  const replayed = given.launch === 'graph' ? '; ours replayed as CUDA graphs' : '';
  const most = Math.max(0, ...rows.map(({ recompute }) => recompute));
  const again = most > 0 ? `; training computes up to ${most} blocks of ours again` : '';
  if (rows.length > 0) {
    printModels(rows);
    writePage(given, earlier, { text: textOf(rows, failures), failures });
  }
  const what = where.gpu ? `${where.gpu.name}, ${given.precision}` : `${where.cpu}, ${where.threads} threads`;
  printFailures(failures);
  console.log(
    `${what}, ${where.kernels}, commit ${where.commit ?? `of ${where.version}`}; medians of ${given.rounds} rounds${replayed}${again}`,
  );
}
