/** Input specification of a network: sampling and normalisation of its clips. */
import { expectOptions, type Known } from '../core/options';
import { shortNumbers, type Normalisation } from './normalisation';

/**
 * Preprocessing with which a network was trained. It is stored in the checkpoint; train, evaluate, predict, study and
 * export all take it from there. Frames are resized by the bicubic kernel, and channels are red, green, blue: the first
 * convolution of a network that takes blue, green, red is repacked where its file is read.
 */
export interface InputSpec {
  /** Frames of a clip; 1 for an image model. */
  frames: number;
  /** Distance between frames, counted at `targetFps`. Not used by segment sampling. */
  rate: number;
  /** Side of the square crop, in pixels. */
  crop: number;
  /** Frames `rate` apart (`dense`), or one of each part of a video (`segment`). */
  sampling: 'dense' | 'segment';
  /** Frame rate that `rate` refers to. */
  targetFps: number;
  /** Whether test clips start at multiples of a whole step. */
  offset: boolean;
  /** Short side of frames before the crop, in pixels. */
  testScale: number;
  /** Whether stored pixels are treated as square, whatever their aspect in the file. */
  ignoreSar: boolean;
  channelOrder: 'rgb';
  /** Mean and standard deviation of each channel for pixels in [0, 1]. */
  normalisation: Normalisation;
}

/** Settings of a specification; the required ones have no default. */
export type InputSettings = Pick<InputSpec, 'frames' | 'rate' | 'crop' | 'normalisation'> & {
  [Name in keyof InputSpec]?: InputSpec[Name] | undefined;
};

const KNOWN: Known<InputSettings> = {
  ...{ frames: true, rate: true, crop: true, normalisation: true, sampling: true, targetFps: true, offset: true },
  ...{ testScale: true, ignoreSar: true, channelOrder: true },
};

/** A whole specification: dense sampling at 30 frames a second, whole steps, and a short side of the crop where nothing else is given. */
export function inputSpec(given: InputSettings): InputSpec {
  expectOptions('inputSpec', given, KNOWN);
  const { frames, rate, crop, normalisation } = given;
  const { sampling = 'dense', targetFps = 30, offset = true, testScale = crop } = given;
  const { ignoreSar = false, channelOrder = 'rgb' } = given;
  return { frames, rate, crop, sampling, targetFps, offset, testScale, ignoreSar, channelOrder, normalisation };
}

/** Short text of a specification. */
export function describeInput({
  frames,
  rate,
  crop,
  sampling,
  targetFps,
  testScale,
  normalisation,
}: InputSpec): string {
  const time = sampling === 'segment' ? 'one of each part of the video' : `${rate} apart at ${targetFps} frames/s`;
  const taken = frames === 1 ? [] : [`${frames} frames, ${time}`];
  const scaled = testScale === crop ? '' : ` out of a short side of ${testScale}`;
  const { mean, std } = normalisation;
  return [...taken, `${crop}x${crop}${scaled}`, `mean ${shortNumbers(mean)}`, `std ${shortNumbers(std)}`].join(', ');
}
