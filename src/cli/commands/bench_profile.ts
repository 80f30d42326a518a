import { Option, type Command } from 'commander';
import type { BenchProfileArguments } from './bench_profile_action';
import { deviceOption, precisionOption, wholeNumber } from '../options';

/** Adds `morphmlp bench profile`. */
export function registerBenchProfile(bench: Command): void {
  bench
    .command('profile')
    .description('time of each kernel of a whole network, with bytes and the share of the limit')
    .option('--model <name>', 'quickstart, video-s, image-t, …', 'video-s')
    .addOption(
      new Option('--work <name>', 'a pass in evaluation, or a training step')
        .choices(['forward', 'train'])
        .default('forward'),
    )
    .option('--batch <n>', 'clips or images', wholeNumber(1), 1)
    .option('--steps <n>', 'measured steps (medians are reported)', wholeNumber(1), 5)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--out <file>', 'write the results as JSON')
    .addHelpText(
      'after',
      `
Examples:
  morphmlp bench profile --work train
  morphmlp bench profile --model image-s --batch 8 --threads 1
  morphmlp bench profile --device cuda --precision bf16 --work train --batch 32 --out profile.json

Each call of a kernel is timed alone; on a GPU by its own timer, from a GPU that waits, so that the times of small kernels include that of
a launch, and the whole step is longer than one that runs unwatched.`,
    )
    .action(async (given: BenchProfileArguments) => (await import('./bench_profile_action.js')).benchProfile(given));
}
