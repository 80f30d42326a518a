import { InvalidArgumentError, type Command } from 'commander';
import { TABLES, type TableNumber } from '../../bench/paper/tables';
import type { BenchPaperArguments } from './bench_paper_action';
import { wholeNumber } from '../options';

function tables(text: string): TableNumber[] {
  const numbers = text.split(',').map((word) => Number(word.trim()) as TableNumber);
  if (numbers.every((n) => TABLES.includes(n))) return numbers;
  throw new InvalidArgumentError(`Expected tables of the paper (${TABLES.join(', ')}), separated by commas.`);
}

/** Adds `morphmlp bench paper`. */
export function registerBenchPaper(bench: Command): void {
  bench
    .command('paper')
    .description("cost of the paper's networks with the paper's figures, and their speed on this machine")
    .option('--table <numbers>', `tables of the paper: ${TABLES.join(', ')} (default: all)`, tables)
    .option('--no-time', 'count without timing')
    .option('--batch <n>', 'batch size (default: 8 images, 1 video)', wholeNumber(1))
    .option('--rounds <n>', 'measurements (the median is reported)', wholeNumber(1), 9)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--out <file>', 'write the results as JSON for morphmlp bench compare')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench paper --no-time
  morphmlp bench paper --table 10 --rounds 15 --out table10.json
  morphmlp bench paper --table 1,3 --threads 1

GMACs are giga multiply-adds, which the paper calls GFLOPs; GFLOP/s count two operations per multiply-add. All networks of tables 8 to 10
take turns, and so do those of table 1 and those of tables 3 to 5; the share is relative to the FMA peak (multiply-adds from registers)
measured in the same rounds. Table 10 runs convolutions in place of MorphFC in the same network. Its networks and those of tables 8 and
9 use simple ops, so MorphFC is listed twice, with and without fused kernels. A speed is the median over rounds with a
95% interval; if it contains 1, there is no difference. The error compares the logits with those of the same network made of simple ops;
a wrong network is not timed.`,
    )
    .action(async (given: BenchPaperArguments) => (await import('./bench_paper_action.js')).benchPaper(given));
}
