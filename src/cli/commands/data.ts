import { Option, type Command } from 'commander';
import type { CheckArguments } from './data_check_action';
import type { ExportArguments, PreviewArguments } from './data_action';
import { wholeNumber } from '../options';

/** Adds `morphmlp data check`. */
function registerCheck(data: Command): void {
  data
    .command('check')
    .description('check lists before a run: labels, classes, missing, unreadable and repeated files, what splits share')
    .argument('[list]', 'a csv, a folder of class folders, or a list of frame folders; KEY VALUE pairs may follow')
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--val <path>', 'the validation list: its classes and files are held against those of the first list')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--separator <text>', 'between path and label, if the list does not say otherwise')
    .option('--root <folder>', 'what the paths in a list start from')
    .option('--template <text>', 'lists of frame folders: names of the frames, such as {:05d}.jpg')
    .option('--classes-file <file>', 'names of the classes, a line each; else classes.txt beside the list')
    .option('--model <name>', 'quickstart, video-s, image-t, …: models of images take pictures from class folders')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--rate <n>', 'distance of its frames at 30 frames a second', wholeNumber(1))
    .option('--clips <n>', 'test clips of a video, whose frames --json names', wholeNumber(1), 1)
    .addOption(new Option('--crops <n>', 'crops of a test clip').choices(['1', '3']).default('1'))
    .option('--workers <n>', 'files that are opened at a time', wholeNumber(1))
    .option('--json', 'all that is known of every file, as JSON')
    .addHelpText(
      'after',
      '\nExit status: 0 where nothing is to be mended, 1 for errors (a run would stop or learn wrong labels), 2 for warnings.' +
        '\n\nExamples:\n  morphmlp data check train.csv --val val.csv\n  morphmlp data check photos/train --val photos/val --model image-t' +
        '\n  morphmlp data check sthv1/train.txt --template {:05d}.jpg --root /data/frames' +
        '\n  morphmlp data check --cfg K400_MLP_S16x4.yaml DATA.PATH_TO_DATA_DIR lists DATA.PATH_PREFIX /data/k400 --json > check.json',
    )
    .action(async (list: string | undefined, pairs: string[], given: CheckArguments) =>
      (await import('./data_check_action.js')).check([...(list === undefined ? [] : [list]), ...pairs], given),
    );
}

/** Adds `morphmlp data check`, `morphmlp data preview` and `morphmlp data export`. */
export function registerData(program: Command): void {
  const data = program
    .command('data')
    .description('check lists, look at training clips, write the embedded datasets as files');
  registerCheck(data);
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
