/** Options of the commands that segment pictures. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { SegmentOptions } from '../../train/segment';
import { numberIn } from '../options';

/** Flags of `evaluate` and `predict` for segmentation models. */
export interface SegmentFlags {
  scales?: number[];
  mirror?: boolean;
  slidingWindow?: { side: number; stride: number };
}

/** Least side of a picture that a network sees, in pixels. */
const LEAST_SIDE = 32;

function scaleList(text: string): number[] {
  const read = numberIn(0.05, 20);
  try {
    return text.split(',').map((one) => read(one));
  } catch {
    throw new InvalidArgumentError('Expected numbers from 0.05 to 20, such as 0.5,1,1.5.');
  }
}

/** Parser of SIDE or SIDE,STRIDE; by default windows are two thirds of a side apart. */
function windowOf(text: string): { side: number; stride: number } {
  const [, first = '0', second] = /^(\d{1,5})(?:,(\d{1,5}))?$/.exec(text) ?? [];
  const side = Number(first);
  const distance = second === undefined ? Math.round((side * 2) / 3) : Number(second);
  if (side >= LEAST_SIDE && distance >= 1 && distance <= side) return { side, stride: distance };
  throw new InvalidArgumentError(
    `Expected a side of at least ${LEAST_SIDE} pixels, and a distance from 1 to the side if one is given, such as 512 or 512,341.`,
  );
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
    .option('--mirror', 'segmentation: average with the mirrored picture')
    .addOption(
      new Option(
        '--sliding-window <side[,stride]>',
        'segmentation: average the logits of square windows, in pixels of the scaled picture (stride: 2/3 of the side)',
      ).argParser(windowOf),
    );
}

/** How pictures are segmented by the flags. */
export function segmentOptionsOf({ scales = [1], mirror = false, slidingWindow }: SegmentFlags): SegmentOptions {
  return { scales, flip: mirror, window: slidingWindow ?? null };
}
