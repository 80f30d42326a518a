import { InvalidArgumentError, Option, type Command } from 'commander';
import { collect, precisionOption, wholeNumber } from '../options';
import type { StudyArguments } from './study_action';

const PARTS = ['cost', 'mixing', 'learned'];

function parts(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !PARTS.includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`Expected some of ${PARTS.join(', ')}, separated by commas.`);
}

const EXAMPLES = `
Examples:
  morphmlp study video-s
  morphmlp study quickstart --data motion --work train --trace step.json
  morphmlp study --checkpoint runs/mine/best.safetensors clip.mp4 --out study.html
  morphmlp study --checkpoint runs/mine/best.safetensors --data val.csv --count 64 --json study.json
  morphmlp study --checkpoint runs/a/best.safetensors --against runs/b/best.safetensors --data val.csv

The page explains the network, MorphFC in five steps and what changes would cost, whatever parts are studied.
A model by name has random weights: then nothing is learned, and the part learned is a sentence. Without clips the page shows a plain grid, and gradients are those of a clip of noise.`;

/** Adds `morphmlp study`. */
export function registerStudy(program: Command): void {
  program
    .command('study')
    .description('cost of each op of a model, tokens that it mixes, what it learned; tables and a page')
    .argument('[inputs...]', 'a model by name (quickstart, video-s, image-t, …), and clips: videos, pictures, folders')
    .option('--checkpoint <file>', 'weights that training wrote, or a PyTorch .pth')
    .option('--against <file>', 'a second checkpoint of the same network, shown beside the first')
    .option('--data <path>', 'labelled clips: a csv, a folder of class folders, or motion')
    .option('--count <n>', 'number of clips from --data', wholeNumber(1), 8)
    .option('--parts <names>', `parts of the study: ${PARTS.join(',')} (default: all)`, parts)
    .addOption(new Option('--work <name>', 'work to measure').choices(['forward', 'train']).default('forward'))
    .option('--batch <n>', 'clips in a measured step', wholeNumber(1), 1)
    .option('--steps <n>', 'measured steps (the median is reported)', wholeNumber(1), 5)
    .option('--tokens <n>', 'tokens of each stage whose gradients are measured, at most 5', wholeNumber(1), 3)
    .addOption(
      new Option('--others <name>', 'weights of the other branches when a branch is switched off')
        .choices(['kept', 'renormalised'])
        .default('kept'),
    )
    .option('--block <name>', 'block whose full weights are drawn first, such as blocks3.4; may be repeated', collect)
    .option('--copies <n>', 'noisy copies of a clip over which saliency is averaged', wholeNumber(0), 0)
    .addOption(precisionOption())
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--out <file>', 'the page', 'study.html')
    .option('--json <file>', 'write the results')
    .option('--trace <file>', 'write the measured step for Perfetto or chrome://tracing')
    .addHelpText('after', EXAMPLES)
    .action(async (inputs: string[], given: StudyArguments) =>
      (await import('./study_action.js')).studyModel(inputs, given),
    );
}
