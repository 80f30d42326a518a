import type { Command } from 'commander';
import type { BenchDataArguments } from './bench_data_action';
import { registerBenchBlas } from './bench_blas';
import { registerBenchCompare } from './bench_compare';
import { registerBenchDistributed } from './bench_distributed';
import { registerBenchKernels } from './bench_kernels';
import { registerBenchModels } from './bench_models';
import { registerBenchPaper } from './bench_paper';
import { registerBenchProfile } from './bench_profile';
import { registerBenchTrain } from './bench_train';
import { wholeNumber } from '../options';

function registerBenchData(bench: Command): void {
  bench
    .command('data')
    .description(
      'clips per second read from disk, compared with decoders alone, and the time that a training step waits',
    )
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, or prepared clips')
    .option('--separator <text>', 'separator between path and label in a csv')
    .option('--model <name>', 'quickstart, video-s, image-t, …')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(32))
    .option('--augment', "the recipes' RandAugment, erasing, resized crops, mixup and cutmix")
    .option('--workers <n>', 'decoding threads', wholeNumber(1))
    .option('--batch-size <n>', 'clips per step', wholeNumber(1))
    .option('--count <n>', 'clips per round', wholeNumber(1), 16)
    .option('--rounds <n>', 'measurements (the median is reported)', wholeNumber(1), 5)
    .option('--steps <n>', 'training steps whose waiting is measured; 0 for none', wholeNumber(0), 4)
    .option('--json <file>', 'write the results')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp bench data --data train.csv --crop 224\n  morphmlp bench data --cfg K400_MLP_S16x4.yaml --data prepared/train --workers 4 --steps 0',
    )
    .action(async (pairs: string[], given: BenchDataArguments) =>
      (await import('./bench_data_action.js')).benchDataset(pairs, given),
    );
}

/** Adds `morphmlp bench`. */
export function registerBench(program: Command): void {
  const bench = program.command('bench').description('measure kernels, networks and data');
  registerBenchKernels(bench);
  registerBenchBlas(bench);
  registerBenchModels(bench);
  registerBenchProfile(bench);
  registerBenchPaper(bench);
  registerBenchCompare(bench);
  registerBenchData(bench);
  registerBenchTrain(bench);
  registerBenchDistributed(bench);
}
