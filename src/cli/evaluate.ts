import os from 'node:os';
import type { Command } from 'commander';
import type { EvaluateArguments } from './evaluate_action';
import { wholeNumber } from './options';

/** Adds `morphmlp evaluate`. */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure a trained model on labelled clips')
    .requiredOption('--data <path>', 'clips: a csv, a folder of class folders, or motion (motion:N for N clips)')
    .requiredOption('--checkpoint <file>', 'a .safetensors file that training wrote')
    .option('--batch-size <n>', 'clips at a time', wholeNumber(1), 8)
    .option('--workers <n>', 'threads that decode videos', wholeNumber(1), Math.max(1, os.cpus().length - 1))
    .option('--separator <text>', 'between path and label in a csv', ',')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp evaluate --data val.csv --checkpoint runs/mine/best.safetensors\n  morphmlp evaluate --data motion --checkpoint runs/quickstart/best.safetensors',
    )
    .action(async (given: EvaluateArguments) => (await import('./evaluate_action.js')).evaluate(given));
}
