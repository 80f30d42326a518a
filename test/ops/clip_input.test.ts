/** clipInput equals float64 rounded once, bit for bit. */
import { drawMix } from '../../src/data/augment';
import { NORMALISATION } from '../../src/data/normalisation';
import { clipInput, clipSettings, type ClipSettings } from '../../src/ops';
import { Philox } from '../../src/core/philox';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';

type Size = readonly [number, number, number, number];
const { fround } = Math;
const SETTINGS = { normalisation: { mean: [0.45, 0.4, 0.5], std: [0.225, 0.25, 0.2] } };

function pixelsOf([b, t, h, w]: Size): Uint8Array {
  const random = new Philox(7);
  return Uint8Array.from({ length: b * t * h * w * 3 }, () => random.int(256));
}

const inBox = (x: number, y: number, box: { x: number; y: number; width: number; height: number }): boolean =>
  x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;

/** Reference implementation, element by element. */
function expected([b, t, h, w]: Size, pixels: Uint8Array, { normalisation, mix }: ClipSettings): number[] {
  const { mean, std } = normalisation;
  const at = (clip: number, c: number, i: number) =>
    fround((pixels[(clip * t * h * w + i) * 3 + c]! / 255 - mean[c]!) / std[c]!);
  const mixed = (own: number, other: number, i: number) => {
    if (mix?.box) return inBox(i % w, Math.floor(i / w) % h, mix.box) ? other : own;
    return mix ? fround(own * fround(mix.lambda) + other * fround(1 - mix.lambda)) : own;
  };
  const numbers: number[] = [];
  for (let clip = 0; clip < b; clip++)
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < t * h * w; i++) {
        const [own, other] = [at(clip, c, i), at(b - 1 - clip, c, i)];
        numbers.push(clip === b - 1 - clip ? own : mixed(own, other, i));
      }
  return numbers;
}

function found(size: Size, pixels: Uint8Array, settings: ClipSettings): number[] {
  return scope(() => [...clipInput(tensor(pixels, [...size, 3]), tensor(clipSettings(settings))).floats()]);
}

const SIZES: Size[] = [
  [1, 1, 1, 1],
  [2, 3, 5, 7],
  [3, 2, 9, 16],
  [4, 2, 19, 12],
];

test.each(SIZES)('%i clips of %i x %i x %i: normalised, channels first', (...size) => {
  const pixels = pixelsOf(size);
  expect(found(size, pixels, SETTINGS)).toEqual(expected(size, pixels, SETTINGS));
});

test.each(SIZES)('%i clips of %i x %i x %i: mixup is lambda of each and the rest of its partner', (...size) => {
  const pixels = pixelsOf(size);
  const settings = { ...SETTINGS, mix: { lambda: 0.3 } };
  expect(found(size, pixels, settings)).toEqual(expected(size, pixels, settings));
});

test.each(SIZES)('%i clips of %i x %i x %i: cutmix exchanges a box', (...size) => {
  const pixels = pixelsOf(size);
  const [, , height, width] = size;
  for (const box of [
    { x: 0, y: 0, width, height },
    { x: Math.floor(width / 2), y: 1, width: Math.ceil(width / 3), height: 2 },
    { x: 3, y: 4, width: 0, height: 3 },
    { x: -3, y: -2, width: 5, height: 4 },
    { x: -9, y: 0, width: 4, height: 9 },
    { x: width - 1, y: height - 1, width: 2 ** 24, height: 2 ** 24 },
  ]) {
    const settings = { ...SETTINGS, mix: { lambda: 0.5, box } };
    expect(found(size, pixels, settings)).toEqual(expected(size, pixels, settings));
  }
});

test('lambda of a drawn cutmix is the share of the clip that stays', () => {
  const options = { alpha: 0, cutmixAlpha: 1, prob: 1, switchProb: 1 };
  const [size, random] = [[2, 2, 30, 40] as const, new Philox(3)];
  const pixels = pixelsOf(size);
  for (let draw = 0; draw < 20; draw++) {
    const mix = drawMix(options, { height: 30, width: 40 }, random)!;
    const [mixed, plain] = [
      found(size, pixels, { normalisation: NORMALISATION, mix }),
      found(size, pixels, { normalisation: NORMALISATION }),
    ];
    const others = plain.map((_, i) => plain[(i + plain.length / 2) % plain.length]!);
    const told = mixed.flatMap((x, i) => (plain[i] === others[i] ? [] : [x === plain[i] ? 1 : 0]));
    const kept = told.reduce<number>((a, b) => a + b, 0);
    expect(kept / told.length).toBeCloseTo(mix.lambda, 2);
  }
});

test('an invalid box mixes nothing and writes nowhere else', () => {
  const size = [2, 1, 4, 8] as const;
  const [pixels, settings] = [pixelsOf(size), clipSettings(SETTINGS)];
  settings.set([0, 1, NaN, NaN, NaN, NaN], settings.length - 6);
  const x = scope(() => [...clipInput(tensor(pixels, [...size, 3]), tensor(settings)).floats()]);
  expect(x).toEqual(expected(size, pixels, SETTINGS));
});

test('settings that need a gradient are refused', () => {
  scope(() => {
    const settings = tensor(clipSettings(SETTINGS));
    settings.requiresGrad = true;
    expect(() => clipInput(zeros([1, 1, 2, 2, 3], { dtype: 'u8' }), settings)).toThrow(
      /^clipInput has no gradient, but/,
    );
  });
});

test('tensors that are not clips, and a standard deviation of 0, are refused', () => {
  scope(() => {
    const settings = tensor(clipSettings(SETTINGS));
    expect(() => clipInput(zeros([1, 2, 3, 3], { dtype: 'u8' }), settings)).toThrow(
      'clipInput: pixels must be u8 [B, T, H, W, 3], got u8 [1, 2, 3, 3]',
    );
    expect(() => clipInput(zeros([1, 2, 3, 3, 3]), settings)).toThrow('got f32 [1, 2, 3, 3, 3]');
    expect(() => clipInput(zeros([1, 2, 3, 3, 3], { dtype: 'u8' }), zeros([3]))).toThrow(
      'clip_input_forward: argument settings: expected 774 x f32, got 3 x f32',
    );
  });
  const flat = { normalisation: { mean: [0.45, 0.45, 0.45], std: [0.225, 0, 0.225] } };
  expect(() => clipSettings(flat)).toThrow('a positive std, got mean 0.45, std 0');
});
