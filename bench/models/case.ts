/** A model, what is timed of it, and the batch, as the peers name them: `video-s-16 forward 1`. */
export interface ModelCase {
  text: string;
  variant: string;
  work: 'forward' | 'train';
  batch: number;
}

/** The peers' names of variants and ours. */
const VARIANTS: Record<string, string> = {
  'video-s-16': 'video-s',
  'video-b-16': 'video-b',
  'video-s-32': 'video-s-32',
  'image-t': 'image-t',
  'image-s': 'image-s',
  'image-b': 'image-b',
};

/** The cases of the README's table. */
export const CASES = [
  'video-s-16 forward 1',
  'video-b-16 forward 1',
  'image-s forward 8',
  'image-t forward 16',
  'video-s-16 train 1',
  'video-s-16 train 2',
  'image-s train 8',
];

/** Reads a case; throws when it is not one. */
export function parseCase(text: string): ModelCase {
  const [name = '', work, batch] = text.split(/\s+/);
  const variant = VARIANTS[name];
  if (!variant || (work !== 'forward' && work !== 'train') || !Number.isInteger(Number(batch)) || Number(batch) < 1) {
    throw new Error(
      `expected 'VARIANT forward|train BATCH' with a variant of ${Object.keys(VARIANTS).join(', ')}, got '${text}'`,
    );
  }
  return { text, variant, work, batch: Number(batch) };
}
