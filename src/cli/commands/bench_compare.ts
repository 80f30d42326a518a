import type { Command } from 'commander';
import type { BenchCompareArguments } from './bench_compare_action';
import { numberIn } from '../options';

/** Adds `morphmlp bench compare`. */
export function registerBenchCompare(bench: Command): void {
  bench
    .command('compare')
    .description('compare results files: which rows became faster or slower from the first to the last')
    .argument('<files...>', 'two or more JSON files of bench kernels, bench paper or bench models, the oldest first')
    .option('--fail-above <percent>', 'exit status 1 if a row takes this much more time, beyond the noise', numberIn(0))
    .option('--force', 'compare even if machine, threads, instruction set or flags differ')
    .option('--out <file>', 'write the comparison as JSON')
    .option('--html <file>', 'write a page: the last file ranked, and the history over all')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench kernels --op morph_fc --out before.json
  morphmlp bench compare before.json after.json
  morphmlp bench compare before.json after.json --fail-above 5
  morphmlp bench compare results/*.json --html history.html

Rows match by op, stage, shape, direction, dtype, variant and cache, or by network and batch. The files were measured at different times, so the
ratio of their times also contains changes of the machine (clocks, other programs). Two further ratios reduce this effect: that of times relative
to the machine's limit, which each file measured with its rows, and that of processor times (if the files have them: bench paper's do), which
other programs hardly change. A row is faster or slower if all ratios agree, each by its 95% interval, which covers only the noise within the files.`,
    )
    .action(async (files: string[], given: BenchCompareArguments) =>
      (await import('./bench_compare_action.js')).benchCompare(files, given),
    );
}
