import type { Command } from 'commander';
import { ENCODING } from '../../data/prepare/pack';
import { byteSize, numberIn, wholeNumber } from '../options';
import type { PrepareArguments } from './prepare_action';

/** Adds `morphmlp prepare`. */
export function registerPrepare(program: Command): void {
  program
    .command('prepare')
    .description('verify, shrink and pack a dataset into a few large files that --data takes')
    .argument('<list>', 'a csv of path,label, a folder of class folders, or (with --template) a list of frame folders')
    .argument('<folder>', 'where to; the same command goes on with what is there')
    .option('--separator <text>', 'between path and label in a csv', ',')
    .option('--root <folder>', 'that the paths in the list start from')
    .option('--template <name>', 'the list is of folder, number of frames, label; frames are named so ({:05d}.jpg)')
    .option('--classes-file <file>', 'class names, a line each, in place of classes.txt beside the list')
    .option('--short-side <pixels>', 'larger pictures are scaled to it', wholeNumber(16), ENCODING.shortSide)
    .option('--crf <n>', 'H.264 quality, 0 (lossless) to 51', numberIn(0, 51), ENCODING.crf)
    .option('--keyframes <n>', 'most frames between two keyframes', wholeNumber(1), ENCODING.keyframes)
    .option('--quality <n>', 'of JPEG pictures', numberIn(1, 100), ENCODING.quality)
    .option('--shard-size <bytes>', 'of one packed file', byteSize, '256M')
    .option('--workers <n>', 'files at a time; default one for each core', wholeNumber(1))
    .option('--seed <n>', 'of the order in which clips are packed', wholeNumber(0), 0)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp prepare train.csv prepared/train\n  morphmlp prepare lists/train.csv k400/train --separator " " --root /data/k400\n  morphmlp prepare sthv1/train.txt sthv1/packed --template {:05d}.jpg --root /data/frames\n  morphmlp train --data prepared/train --val prepared/val --out runs/first',
    )
    .action(async (list: string, folder: string, given: PrepareArguments) =>
      (await import('./prepare_action.js')).prepareClips(list, folder, given),
    );
}
