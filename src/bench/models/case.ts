import type { Device, Precision } from '../../core/native';
import type { Launch } from '../kernels/rounds';

/** A model, the timed work and the batch size, in the peers' notation: `video-s-16 forward 1`. */
export interface ModelCase {
  text: string;
  /** A name of `VARIANTS`. */
  variant: string;
  work: 'forward' | 'train';
  batch: number;
}

/** The programs that ours is compared with. */
export const PEER_NAMES = ['pytorch', 'torch.compile', 'onnxruntime'] as const;
/** Name of one of them. */
export type PeerName = (typeof PEER_NAMES)[number];

/** Device, precision and execution options of a case. */
export interface Where {
  device: Device;
  precision: Precision;
  /** The number of blocks, from the first, that training recomputes in the backward. Default `defaultRecompute`. */
  recompute?: number;
  /** On a GPU: the launch mode. Default `launched`. */
  launch?: Launch;
}

/** For each of the peers' variant names, ours and that of the reference data. */
const VARIANTS: Record<string, { variant: string; reference: string }> = {
  'video-s-16': { variant: 'video-s', reference: 'video_s16' },
  'video-b-16': { variant: 'video-b', reference: 'video_b16' },
  'video-s-32': { variant: 'video-s-32', reference: 'video_s32' },
  'image-t': { variant: 'image-t', reference: 'image_t' },
  'image-s': { variant: 'image-s', reference: 'image_s' },
  'image-b': { variant: 'image-b', reference: 'image_b' },
};

/** The default cases: on a CPU those that two cores run in seconds, on a GPU those that occupy it fully. */
export const CASES: Record<Device, readonly string[]> = {
  cpu: [
    'video-s-16 forward 1',
    'video-b-16 forward 1',
    'image-s forward 8',
    'image-t forward 16',
    'video-s-16 train 1',
    'video-s-16 train 2',
    'image-s train 8',
  ],
  cuda: ['video-s-16 forward 32', 'video-s-16 train 32', 'image-t train 256'],
};

/** Parses a case. @throws if malformed */
export function parseCase(text: string): ModelCase {
  const [name = '', work, batch, ...rest] = text.trim().split(/\s+/);
  const found = VARIANTS[name];
  if (found && (work === 'forward' || work === 'train') && /^[1-9]\d*$/.test(batch ?? '') && rest.length === 0)
    return { text: `${name} ${work} ${batch}`, variant: found.variant, work, batch: Number(batch) };
  throw new Error(
    `expected 'VARIANT forward|train BATCH' with a variant of ${Object.keys(VARIANTS).join(', ')}, got '${text}'`,
  );
}

/** The name of a variant in the reference data. */
export const referenceName = (variant: string): string =>
  Object.values(VARIANTS).find((known) => known.variant === variant)!.reference;
