import type { Command } from 'commander';
import type { BenchTrainArguments } from './bench_train_action';
import { cacheSize, wholeNumber } from '../options';

/** Adds `morphmlp bench train`. */
export function registerBenchTrain(bench: Command): void {
  bench
    .command('train')
    .description('time the training loop in turn with its steps alone, and itemise the difference')
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, prepared clips, or motion')
    .option('--separator <text>', 'separator between path and label in a csv')
    .option('--model <name>', 'quickstart, video-s, image-t, …')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--rate <n>', 'distance between frames', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(32))
    .option('--augment', "the recipes' RandAugment, erasing, resized crops, mixup and cutmix")
    .option('--workers <n>', 'threads that decode and augment', wholeNumber(1))
    .option('--threads <n>', 'threads that compute', wholeNumber(1))
    .option('--batch-size <n>', 'clips per step', wholeNumber(1))
    .option('--cache-memory <size>', 'limit of the cache of decoded frames, such as 2G; 0 for no cache', cacheSize)
    .option('--steps <n>', 'steps per round', wholeNumber(1), 24)
    .option('--rounds <n>', 'measurements (the median is reported)', wholeNumber(1), 7)
    .option('--json <file>', 'write the results')
    .addHelpText(
      'after',
      `
The first epoch fills the cache of decoded frames; the rounds measure later epochs.

Examples:
  morphmlp bench train --preset quickstart
  morphmlp bench train --data videos/train --model quickstart --crop 64 --cache-memory 0`,
    )
    .action(async (pairs: string[], given: BenchTrainArguments) =>
      (await import('./bench_train_action.js')).benchTrain(pairs, given),
    );
}
