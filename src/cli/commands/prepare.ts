import type { Command } from 'commander';
import { ENCODING } from '../../data/prepare/pack';
import { byteSize, numberIn, wholeNumber } from '../options';
import type { PrepareArguments } from './prepare_action';

/** Adds `morphmlp prepare`. */
export function registerPrepare(program: Command): void {
  program
    .command('prepare')
    .description('verify, scale and pack a dataset into a few large files that --data reads')
    .argument('<list>', 'a csv of path,label, a folder of class folders, or (with --template) a list of frame folders')
    .argument('<folder>', 'output folder; the same command continues an interrupted preparation')
    .option('--separator <text>', 'separator between path and label in a csv', ',')
    .option('--root <folder>', 'folder to which the paths in the list are relative')
    .option('--template <name>', 'names of frames, such as {:05d}.jpg; the list has folder, number of frames, label')
    .option('--classes-file <file>', 'class names, one per line (default: classes.txt in the folder of the list)')
    .option(
      '--short-side <pixels>',
      'short side to which larger pictures are scaled',
      wholeNumber(16),
      ENCODING.shortSide,
    )
    .option('--crf <n>', 'H.264 quality, 0 (lossless) to 51', numberIn(0, 51), ENCODING.crf)
    .option('--keyframes <n>', 'largest distance between keyframes, in frames', wholeNumber(1), ENCODING.keyframes)
    .option('--quality <n>', 'JPEG quality, 1 to 100', numberIn(1, 100), ENCODING.quality)
    .option('--shard-size <bytes>', 'size of a packed file', byteSize, '256M')
    .option('--workers <n>', 'files at the same time (default: one per core)', wholeNumber(1))
    .option('--seed <n>', 'seed of the order in which clips are packed', wholeNumber(0), 0)
    .addHelpText(
      'after',
      '\nExamples:\n  morphmlp prepare train.csv prepared/train\n  morphmlp prepare lists/train.csv k400/train --separator " " --root /data/k400\n  morphmlp prepare sthv1/train.txt sthv1/packed --template {:05d}.jpg --root /data/frames\n  morphmlp train --data prepared/train --val prepared/val --out runs/first',
    )
    .action(async (list: string, folder: string, given: PrepareArguments) =>
      (await import('./prepare_action.js')).prepareClips(list, folder, given),
    );
}
