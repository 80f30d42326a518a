import type { Command } from 'commander';
import type { BenchCompareArguments } from './bench_compare_action';
import { numberIn } from '../options';

/** Adds `morphmlp bench compare`. */
export function registerBenchCompare(bench: Command): void {
  bench
    .command('compare')
    .description('two results files beside each other: what became faster, slower, or neither')
    .argument('<before>', 'JSON of bench kernels, bench paper or bench models')
    .argument('<after>', 'a later one of the same kind')
    .option(
      '--fail-above <percent>',
      'exit status 1 when something takes so much more time, beyond the noise',
      numberIn(0),
    )
    .option('--force', 'compare although machine, threads, instruction set or flags differ')
    .option('--out <file>', 'write the comparison as JSON')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench kernels --op morph_fc --out before.json
  morphmlp bench compare before.json after.json
  morphmlp bench compare before.json after.json --fail-above 5

Rows match by op, stage, shape, direction, dtype, variant and cache, or by network and batch. The two files come from different moments, so a
quotient of their times also holds what the machine did meanwhile (clocks, neighbours). Beside it stands the quotient of times in units of
the shortest that the machine's limit allowed, which each file measured next to its rows, and that of the processor's time, which other programs hardly change (where the files have
it: bench paper's do). Faster or slower is what all of these say, each with its interval of 95%, which knows the noise within the two files alone: on a busy machine measure again before you believe a few percent.`,
    )
    .action(async (before: string, after: string, given: BenchCompareArguments) =>
      (await import('./bench_compare_action.js')).benchCompare(before, after, given),
    );
}
