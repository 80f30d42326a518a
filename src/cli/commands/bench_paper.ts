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
    .description("the paper's networks: what they cost beside the paper's figures, and how fast they are here")
    .option('--table <numbers>', `of the paper: ${TABLES.join(', ')} (default: all)`, tables)
    .option('--no-time', 'count alone')
    .option('--batch <n>', 'views at a time (default: 8 images, 1 video)', wholeNumber(1))
    .option('--rounds <n>', 'measurements of which the median counts', wholeNumber(1), 9)
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--out <file>', 'write the figures as JSON (morphmlp bench compare takes two of these)')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench paper --no-time
  morphmlp bench paper --table 10 --rounds 15 --out table10.json
  morphmlp bench paper --table 1,3 --threads 1

GMACs are giga multiply-adds, which the paper calls GFLOPs; a GFLOP/s is two operations a multiply-add. All networks of tables 8 to 10
take turns, and so do those of table 1 and those of tables 3 to 5; the share is of the multiply-adds from registers that the machine
did in the same rounds. Table 10 runs for real: convolutions in place of MorphFC in the same network. Its networks and those of tables 8 and
9 are made of simple ops, so MorphFC stands there twice, with the fused kernels and without. A speed is the median over rounds with an
interval of 95%; where that holds 1, there is no difference. The error is that of the logits against the same network made of simple ops;
a network that is wrong is not timed.`,
    )
    .action(async (given: BenchPaperArguments) => (await import('./bench_paper_action.js')).benchPaper(given));
}
