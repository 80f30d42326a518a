import os from 'node:os';
import { Option, type Command } from 'commander';
import { addSegmentOptions } from './segment_options';
import type { EvaluateArguments } from './evaluate_action';
import { deviceOption, precisionOption, numberIn, wholeNumber } from '../options';

/** Adds `morphmlp evaluate`. */
export function registerEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description(
      'measure a trained model: accuracy, precision, recall and F1 of classes of clips, or IoU of those of pixels',
    )
    .requiredOption(
      '--data <path>',
      'clips: a csv, a folder of class folders, or motion (motion:N for N clips); segmentation: a folder of images/ and masks/',
    )
    .requiredOption('--checkpoint <path>', 'a .safetensors file that training wrote, or the folder of a run: its best')
    .option('--batch-size <n>', 'views of a video per forward pass', wholeNumber(1), 8)
    .option('--workers <n>', 'threads that decode videos', wholeNumber(1), Math.max(1, os.cpus().length - 1))
    .option('--separator <text>', 'separator between path and label in a csv', ',')
    .option('--clips <n>', 'views in time, evenly spread; scores are averaged', wholeNumber(1), 1)
    .addOption(
      new Option('--crops <n>', 'views in space: 1 (centre) or 3 (left, centre, right)')
        .choices(['1', '3'])
        .default('1'),
    )
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option('--rank-timeout <seconds>', 'longest wait for another rank (default: 300)', numberIn(0.1, 1e6))
    .option('--csv <file>', 'write the prediction for every file: label, predicted class, scores')
    .option('--html <file>', 'write a page: measures and confusion of the classes, the surest mistakes')
    .option('--json', 'print as JSON: measures of every class, confusion matrix, predictions')
    .option('--reduce-zero-label', 'segmentation: classes of masks count from 1, and 0 is ignored (ADE20K)');
  addSegmentOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp evaluate --data val.csv --checkpoint runs/mine/best.safetensors\n  morphmlp evaluate --data val.csv --checkpoint runs/mine/best.safetensors --clips 4 --crops 3\n  morphmlp evaluate --data val.csv --checkpoint runs/mine --csv predictions.csv --html evaluation.html\n  morphmlp evaluate --data motion --checkpoint runs/quickstart\n  mpirun -n 4 --bind-to none morphmlp evaluate --data val.csv --checkpoint runs/mine',
    )
    .action(async (given: EvaluateArguments) => (await import('./evaluate_action.js')).evaluate(given));
}
