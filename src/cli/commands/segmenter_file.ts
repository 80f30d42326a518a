import { readCheckpointMeta } from '../../formats/checkpoint';
import { checkpointFile } from '../../train/checkpoint_file';

/** The checkpoint at a path, if it is one of this program of a segmentation model; null for all else, which `load` judges. */
export function segmenterFile(given: string): string | null {
  try {
    const file = checkpointFile(given);
    return (readCheckpointMeta(file)['model'] as { task?: unknown } | undefined)?.task === 'segment' ? file : null;
  } catch {
    return null;
  }
}

/** Throws if flags of segmentation are given with another model. */
export function expectNoSegmentFlags(checkpoint: string, flags: object): void {
  const names = ['scales', 'mirror', 'slidingWindow', 'out', 'overlay', 'reduceZeroLabel'] as const;
  const given = names.find((name) => (flags as Record<string, unknown>)[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new Error(`--${flag} is of models that segment pictures; ${checkpoint} classifies clips`);
}
