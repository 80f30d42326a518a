import { Option, type Command } from 'commander';
import type { ExportArguments, PreviewArguments } from './data_action';
import { wholeNumber } from '../options';

/** Adds `morphmlp data preview` and `morphmlp data export`. */
export function registerData(program: Command): void {
  const data = program.command('data').description('look at training clips; write the embedded datasets as files');
  data
    .command('preview')
    .description('draw the first training batch as the network gets it: augmented, mixed, cropped')
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, or motion')
    .option('--separator <text>', 'between path and label in a csv')
    .option('--model <name>', 'quickstart, video-s, image-t, …')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(32))
    .option('--augment', "the recipes' RandAugment, erasing, resized crops, mixup and cutmix")
    .option('--seed <n>', 'of every random choice', wholeNumber(0))
    .option('--count <n>', 'clips to draw', wholeNumber(1), 8)
    .option('--out <file.png>', 'the contact sheet', 'preview.png')
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp data preview --data train.csv --augment --out seen.png\n  morphmlp data preview --cfg K400_MLP_S16x4.yaml DATA.PATH_TO_DATA_DIR lists DATA.PATH_PREFIX /data/k400',
    )
    .action(async (pairs: string[], given: PreviewArguments) =>
      (await import('./data_action.js')).preview(pairs, given),
    );
  data
    .command('export')
    .description('write the embedded motion dataset as videos or frames, or its still counterpart as pictures')
    .argument('<folder>', 'where to')
    .addOption(
      new Option(
        '--as <layout>',
        'Kinetics (H.264, csv), Something-Something (JPEG frames, lists), ImageNet (JPEG, class folders)',
      )
        .choices(['video', 'frames', 'images'])
        .default('video'),
    )
    .option('--train <n>', 'training clips', wholeNumber(1), 768)
    .option('--val <n>', 'validation clips', wholeNumber(1), 256)
    .option('--size <pixels>', 'height and width', wholeNumber(16), 64)
    .option('--frames <n>', 'frames, a multiple of 16', wholeNumber(16), 16)
    .option('--seed <n>', 'of the clips', wholeNumber(0), 0)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp data export motion\n  morphmlp train --preset quickstart --data motion/train.csv --val motion/val.csv --out runs/motion\n  morphmlp data export shapes --as images --train 4096\n  morphmlp train --preset shapes DATA.PATH_TO_DATA_DIR shapes',
    )
    .action(async (folder: string, given: ExportArguments) =>
      (await import('./data_action.js')).exportClips(folder, given),
    );
}
