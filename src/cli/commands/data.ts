import { Option, type Command } from 'commander';
import type { CheckArguments } from './data_check_action';
import type { ExportArguments, PreviewArguments } from './data_action';
import { wholeNumber } from '../options';

/** Adds `morphmlp data check`. */
function registerCheck(data: Command): void {
  data
    .command('check')
    .description(
      'check lists before a run: labels, classes, missing, unreadable and duplicate files, overlap of splits',
    )
    .argument('[list]', 'a csv, a folder of class folders, or a list of frame folders; KEY VALUE pairs may follow')
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--val <path>', 'the validation list; its classes and files are compared with those of the first list')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--separator <text>', 'separator between path and label, for ambiguous lists')
    .option('--root <folder>', 'folder to which the paths in a list are relative')
    .option('--template <text>', 'for lists of frame folders: names of the frames, such as {:05d}.jpg')
    .option('--classes-file <file>', 'class names, one per line (default: classes.txt in the folder of the list)')
    .option('--model <name>', 'quickstart, video-s, image-t, …: models of images take pictures from class folders')
    .addOption(new Option('--task <name>', 'segment: pictures with index masks').choices(['classify', 'segment']))
    .option('--reduce-zero-label', 'with --task segment: classes of masks count from 1, and 0 is ignored (ADE20K)')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--rate <n>', 'distance between frames, at 30 frames per second', wholeNumber(1))
    .option('--clips <n>', 'test clips per video; --json lists their frames', wholeNumber(1), 1)
    .addOption(new Option('--crops <n>', 'crops per test clip').choices(['1', '3']).default('1'))
    .option('--workers <n>', 'files opened at the same time', wholeNumber(1))
    .option('--json', 'print all facts about every file as JSON')
    .addHelpText(
      'after',
      '\nExit status: 0 without findings, 1 for errors (a run would stop or learn wrong labels), 2 for warnings.' +
        '\n\nExamples:\n  morphmlp data check train.csv --val val.csv\n  morphmlp data check photos/train --val photos/val --model image-t' +
        '\n  morphmlp data check pictures/ --val pictures/ --task segment' +
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
    .description('check lists, preview training clips, write the embedded datasets as files');
  registerCheck(data);
  data
    .command('preview')
    .description('draw the first training batch as the network receives it: augmented, mixed, cropped')
    .argument('[pairs...]', 'KEY VALUE pairs that go over the recipe')
    .option('--cfg <file>', "a recipe: one of the authors' YAML files, or your own of the same form")
    .option('--preset <name>', 'a recipe that comes with the program')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, or motion')
    .option('--separator <text>', 'separator between path and label in a csv')
    .option('--model <name>', 'quickstart, video-s, image-t, …')
    .option('--frames <n>', 'frames of a clip', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop', wholeNumber(32))
    .option('--augment', "the recipes' RandAugment, erasing, resized crops, mixup and cutmix")
    .option('--seed <n>', 'seed of all random choices', wholeNumber(0))
    .option('--count <n>', 'number of clips', wholeNumber(1), 8)
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
    .argument('<folder>', 'output folder')
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
    .option('--seed <n>', 'seed of the clips', wholeNumber(0), 0)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp data export motion\n  morphmlp train --preset quickstart --data motion/train.csv --val motion/val.csv --out runs/motion\n  morphmlp data export shapes --as images --train 4096\n  morphmlp train --preset shapes DATA.PATH_TO_DATA_DIR shapes',
    )
    .action(async (folder: string, given: ExportArguments) =>
      (await import('./data_action.js')).exportClips(folder, given),
    );
}
