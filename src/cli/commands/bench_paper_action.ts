import { kernelFlags } from '../../bench/flags';
import { machine } from '../../bench/machine';
import { countRow, countRuns, timeRows, type PaperRow } from '../../bench/paper/measure';
import { PAPER, type PaperEntry, type TableNumber } from '../../bench/paper/tables';
import { writeFileAtomic } from '../../formats/atomic';
import { setThreads, threads } from '../../core/runtime';
import { checkOutputs } from './outputs';
import { printTables } from './paper_table';
import { withProgress } from '../../terminal/progress';

/** Arguments of `morphmlp bench paper`. */
export interface BenchPaperArguments {
  table?: TableNumber[];
  time: boolean;
  batch?: number;
  rounds: number;
  threads?: number;
  out?: string;
}

const BATCH = { image: 8, video: 1 };

async function measure(entries: readonly PaperEntry[], { batch, rounds }: BenchPaperArguments): Promise<PaperRow[]> {
  return withProgress({ label: 'measuring', total: countRuns(entries, rounds) }, (bar) => {
    let done = -1;
    const onRun = (name: string) => bar.update(++done, [name]);
    return timeRows(entries, { rounds, batch: (kind) => batch ?? BATCH[kind], onRun });
  });
}

/** Runs `morphmlp bench paper`. */
export async function benchPaper(given: BenchPaperArguments): Promise<void> {
  checkOutputs({ out: given.out });
  setThreads(given.threads ?? threads());
  const entries = PAPER.filter(({ table }) => given.table?.includes(table) ?? true);
  const rows = given.time ? await measure(entries, given) : entries.map(countRow);
  const where = machine();
  printTables(rows);
  if (given.time)
    console.log(
      `\n${where.cpu}, ${where.threads} threads, ${where.kernels}, commit ${where.commit ?? `of ${where.version}`}; medians of ${given.rounds} rounds`,
    );
  if (!given.out) return;
  const text = JSON.stringify({ machine: where, dtype: 'f32', flags: kernelFlags(), rows }, null, 1);
  writeFileAtomic(given.out, (write) => write(Buffer.from(`${text}\n`)));
}
