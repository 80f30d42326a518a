/**
 * RandAugment (Cubuk et al., 2020) with timm's notation and operations, which the authors' recipes use. The
 * operations are drawn once and applied to every frame of a clip.
 */
import type { Philox } from '../../core/philox';
import { rotation, shear, shift, transform, type Interpolation, type Matrix } from './affine';
import { forEachFrame, type ClipSize } from './size';
import * as tone from './tone_ops';

/** A RandAugment policy. */
export interface RandAugment {
  /** 0 to 10. */
  magnitude: number;
  layers: number;
  /** Standard deviation of the magnitude. */
  magnitudeStd: number;
  /** Whether a larger magnitude makes every operation stronger (`inc1`). */
  increasing: boolean;
}

const GRAMMAR = 'expected rand-m7-n4-mstd0.5-inc1 or the like (m magnitude, n layers, mstd its deviation, inc1)';

/** Reads a policy such as `rand-m7-n4-mstd0.5-inc1`. @throws if a part is unknown */
export function parseRandAugment(text: string): RandAugment {
  const [name, ...parts] = text.split('-');
  if (name !== 'rand') throw new Error(`RandAugment ${text}: ${GRAMMAR}`);
  const policy: RandAugment = { magnitude: 10, layers: 2, magnitudeStd: 0, increasing: false };
  for (const part of parts) {
    const [, key = '', digits = ''] = /^(m|n|mstd|inc)(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    const value = Number(digits);
    const fits = key === 'mstd' || (Number.isInteger(value) && (key !== 'm' || value <= 10));
    if (key === '' || !fits) throw new Error(`RandAugment ${text}: ${part} is not known; ${GRAMMAR}`);
    if (key === 'm') policy.magnitude = value;
    if (key === 'n') policy.layers = value;
    if (key === 'mstd') policy.magnitudeStd = value;
    if (key === 'inc') policy.increasing = value > 0;
  }
  return policy;
}

type ToneName = 'autoContrast' | 'equalize' | 'invert' | 'posterize' | 'solarize' | 'solarizeAdd';
type EnhanceName = 'colour' | 'contrast' | 'brightness' | 'sharpness';

/** One operation with its random parameters. */
export type AugmentOp =
  { name: ToneName | EnhanceName; value: number } | { name: 'affine'; matrix: Matrix; interpolation: Interpolation };

/** Properties of the frames that operations depend on. */
export interface AugmentTarget {
  width: number;
  height: number;
  interpolation: Interpolation;
}

/** Creates an operation from a magnitude in [0, 10]. */
type Maker = (level: number, target: AugmentTarget, random: Philox) => AugmentOp;

const signed = (value: number, random: Philox): number => (random.uniform() < 0.5 ? -value : value);

const toneOp =
  (name: ToneName, value: (level: number) => number): Maker =>
  (level) => ({ name, value: value(level) });

/** Colour, contrast, brightness, sharpness: factors on either side of 1 (increasing), or from 0.1 to 1.9. */
const enhanceOp =
  (name: EnhanceName, increasing: boolean): Maker =>
  (level, _, random) => ({
    name,
    value: increasing ? 1 + signed((level / 10) * 0.9, random) : (level / 10) * 1.8 + 0.1,
  });

const affineOp =
  (most: number, matrix: (value: number, target: AugmentTarget) => Matrix): Maker =>
  (level, target, random) => ({
    name: 'affine',
    matrix: matrix(signed((level / 10) * most, random), target),
    interpolation: target.interpolation,
  });

const { trunc } = Math;

/** The fifteen operations, in timm's order. */
function makers(increasing: boolean): Maker[] {
  const bits = (level: number): number => trunc((level / 10) * 4);
  const threshold = (level: number): number => trunc((level / 10) * 256);
  return [
    toneOp('autoContrast', () => 0),
    toneOp('equalize', () => 0),
    toneOp('invert', () => 0),
    affineOp(30, (degrees, target) => rotation(degrees, target)),
    toneOp('posterize', (level) => (increasing ? 4 - bits(level) : bits(level))),
    toneOp('solarize', (level) => (increasing ? 256 - threshold(level) : threshold(level))),
    toneOp('solarizeAdd', (level) => trunc((level / 10) * 110)),
    ...(['colour', 'contrast', 'brightness', 'sharpness'] as const).map((name) => enhanceOp(name, increasing)),
    affineOp(0.3, (factor) => shear(factor, false)),
    affineOp(0.3, (factor) => shear(factor, true)),
    affineOp(0.45, (share, { width }) => shift(share * width, false)),
    affineOp(0.45, (share, { height }) => shift(share * height, true)),
  ];
}

const MAKERS = { plain: makers(false), increasing: makers(true) };

/** The operations of one clip: `layers` drawn with replacement, each applied with probability one half. */
export function drawRandAugment(policy: RandAugment, target: AugmentTarget, random: Philox): AugmentOp[] {
  const known = policy.increasing ? MAKERS.increasing : MAKERS.plain;
  const chosen = Array.from({ length: policy.layers }, () => known[random.int(known.length)]!);
  return chosen.flatMap((make) => {
    if (random.uniform() < 0.5) return [];
    const level = random.normal(policy.magnitude, policy.magnitudeStd);
    return [make(Math.min(10, Math.max(0, level)), target, random)];
  });
}

/**
 * Brightness, contrast and saturation by factors from 1 − strength to 1 + strength, in an order that is drawn (torchvision's
 * ColorJitter, which the recipes use without RandAugment).
 */
export function drawColorJitter(strength: number, random: Philox): AugmentOp[] {
  const names = random.shuffle(['brightness', 'contrast', 'colour'] as const satisfies EnhanceName[] as EnhanceName[]);
  return names.map((name) => ({ name, value: random.uniform(Math.max(0, 1 - strength), 1 + strength) }));
}

function applyTone(frame: Uint8Array, op: Exclude<AugmentOp, { name: 'affine' }>, width: number): void {
  if (op.name === 'sharpness') tone.sharpness(frame, op.value, width);
  else tone[op.name](frame, op.value);
}

/** Applies operations to every frame; `pixels` may be changed. Returns u8 [frames, height, width, 3]. */
export function applyAugment(pixels: Uint8Array, size: ClipSize, ops: readonly AugmentOp[]): Uint8Array {
  let clip = pixels;
  for (const op of ops) {
    if (op.name === 'affine') clip = transform(clip, size, op.matrix, op.interpolation);
    else forEachFrame(clip, size, (frame) => applyTone(frame, op, size.width));
  }
  return clip;
}
