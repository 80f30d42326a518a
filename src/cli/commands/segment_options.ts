/** Options of the commands that segment pictures. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { SegmentOptions } from '../../train/segment';
import { numberIn } from '../options';

/** Flags of `evaluate` and `predict` for segmentation models. */
export interface SegmentFlags {
  scales?: number[];
  mirror?: boolean;
}

function scaleList(text: string): number[] {
  const read = numberIn(0.05, 20);
  try {
    return text.split(',').map((one) => read(one));
  } catch {
    throw new InvalidArgumentError('Expected numbers from 0.05 to 20, such as 0.5,1,1.5.');
  }
}

/** Adds the flags to a command. */
export function addSegmentOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--scales <list>',
        'segmentation: sizes whose probabilities are averaged, such as 0.5,1,1.5',
      ).argParser(scaleList),
    )
    .option('--mirror', 'segmentation: average with the mirrored picture');
}

/** How pictures are segmented by the flags. */
export function segmentOptionsOf({ scales = [1], mirror = false }: SegmentFlags): SegmentOptions {
  return { scales, flip: mirror };
}
