import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  applyAugment,
  beta,
  drawColorJitter,
  drawErasing,
  drawMix,
  drawRandAugment,
  drawResizedCrop,
  erase,
  parseRandAugment,
  resizeCrop,
  softTargets,
} from '../../../src/data/augment';
import { Philox } from '../../../src/core/philox';

const SIZE = { width: 40, height: 30 };
const TARGET = { ...SIZE, interpolation: 'bicubic' as const };
const many = <T>(count: number, draw: (random: Philox) => T): T[] =>
  Array.from({ length: count }, (_, i) => draw(new Philox(5).fork(i)));
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('RandAugment', () => {
  test("reads timm's notation", () => {
    const policy = { magnitude: 7, layers: 4, magnitudeStd: 0.5, increasing: true };
    expect(parseRandAugment('rand-m7-n4-mstd0.5-inc1')).toEqual(policy);
    expect(parseRandAugment('rand-inc1-mstd0.5-n4-m7')).toEqual(policy);
    expect(parseRandAugment('rand')).toEqual({ magnitude: 10, layers: 2, magnitudeStd: 0, increasing: false });
  });

  test.each(['augmix-m5', 'rand-m11', 'rand-m5.5', 'rand-w0', 'rand-mx', 'rand-', ''])(
    '%p is refused by name',
    (text) => {
      expect(() => parseRandAugment(text)).toThrow(`RandAugment ${text}: `);
    },
  );

  test('half of the layers are applied, all fifteen operations about equally often', () => {
    const ops = many(4000, (random) => drawRandAugment(parseRandAugment('rand-m7-n4-mstd0.5-inc1'), TARGET, random));
    expect(mean(ops.map((list) => list.length))).toBeCloseTo(2, 1);
    const names = ops.flat().map((op) => op.name);
    const share = (name: string) => names.filter((n) => n === name).length / names.length;
    for (const name of [
      'autoContrast',
      'equalize',
      'invert',
      'posterize',
      'solarize',
      'solarizeAdd',
      'colour',
      'sharpness',
    ])
      expect(Math.abs(share(name) - 1 / 15)).toBeLessThan(0.012);
    expect(Math.abs(share('affine') - 5 / 15)).toBeLessThan(0.02);
  });

  test('strength follows the magnitude, its sign is even, and the increasing set starts from no change', () => {
    const values = (text: string, name: string) =>
      many(6000, (random) => drawRandAugment(parseRandAugment(text), TARGET, random))
        .flat()
        .flatMap((op) => (op.name === name ? [(op as { value: number }).value] : []));
    const strong = values('rand-m9-n2-mstd0.5-inc1', 'brightness');
    expect(mean(strong.map((v) => Math.abs(v - 1)))).toBeCloseTo(0.81, 1);
    expect(Math.abs(mean(strong.map((v) => Math.sign(v - 1))))).toBeLessThan(0.15);
    expect(new Set(values('rand-m7-n2-inc1', 'posterize'))).toEqual(new Set([2]));
    expect(new Set(values('rand-m7-n2-inc1', 'solarize'))).toEqual(new Set([256 - 179]));
    expect(new Set(values('rand-m7-n2', 'solarize'))).toEqual(new Set([179]));
    expect(new Set(values('rand-m10-n2', 'solarizeAdd'))).toEqual(new Set([110]));
    expect(new Set(values('rand-m10-n2', 'brightness'))).toEqual(new Set([1.8 + 0.1]));
    expect(new Set(values('rand-m0-n2', 'brightness'))).toEqual(new Set([0.1]));
  });

  test('every frame of a clip gets the same operations', () => {
    const frame = new Philox(9).bytes(30 * 40 * 3);
    for (const ops of many(40, (random) =>
      drawRandAugment(parseRandAugment('rand-m9-n4-mstd0.5-inc1'), TARGET, random),
    )) {
      const clip = applyAugment(new Uint8Array([...frame, ...frame]), { frames: 2, ...SIZE }, ops);
      expect(clip.subarray(0, frame.length)).toEqual(clip.subarray(frame.length));
    }
  });
});

test('colour jitter: three factors within the strength, in every order', () => {
  const drawn = many(600, (random) => drawColorJitter(0.4, random));
  expect(new Set(drawn.map((ops) => ops.map((op) => op.name).join())).size).toBe(6);
  const factors = drawn.flat().map((op) => (op as { value: number }).value);
  expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.6);
  expect(Math.max(...factors)).toBeLessThanOrEqual(1.4);
  expect(mean(factors)).toBeCloseTo(1, 1);
});

describe('resized crops', () => {
  test('a box as wide or as high as the frame is taken; one that is larger or empty is not', () => {
    const boxes = (share: number, ratio: number) =>
      many(200, (random) =>
        drawResizedCrop(SIZE.width, SIZE.height, { scale: [share, share], aspect: [ratio, ratio] }, random),
      );
    const wide = boxes(2 / 3, 2);
    expect(wide.every((box) => box.width === 40 && box.height === 20 && box.x === 0)).toBe(true);
    expect(new Set(wide.map(({ y }) => y)).size).toBe(11);
    const high = boxes(3 / 8, 1 / 2);
    expect(high.every((box) => box.width === 15 && box.height === 30 && box.y === 0)).toBe(true);
    expect(new Set(high.map(({ x }) => x)).size).toBe(26);
    // None of the tries fits: the largest box of the ratio in the middle.
    for (const share of [1, 1e-6]) {
      expect(boxes(share, 4)).toEqual(Array(200).fill({ x: 0, y: 10, width: 40, height: 10 }));
      expect(boxes(share, 1 / 4)).toEqual(Array(200).fill({ x: 16, y: 0, width: 8, height: 30 }));
    }
  });

  const options = { scale: [0.08, 1] as const, aspect: [0.75, 1.3333] as const };

  test('lie within the frame and cover the range of areas and aspects', () => {
    const boxes = many(3000, (random) => drawResizedCrop(340, 256, options, random));
    for (const { x, y, width, height } of boxes) {
      expect(x >= 0 && y >= 0 && x + width <= 340 && y + height <= 256).toBe(true);
      expect(width / height).toBeGreaterThan(0.7);
      expect(width / height).toBeLessThan(1.4);
    }
    const areas = boxes.map((box) => (box.width * box.height) / (340 * 256));
    expect(Math.min(...areas)).toBeLessThan(0.1);
    expect(Math.max(...areas)).toBeGreaterThan(0.9);
  });

  test('without a fitting box, the box is the centre with the nearest aspect', () => {
    const box = drawResizedCrop(400, 20, { scale: [1, 1], aspect: [0.75, 1.3333] }, new Philox(1));
    expect(box).toEqual({ x: 186, y: 0, width: 27, height: 20 });
  });

  const file = path.join(__dirname, '..', '..', 'fixtures', 'augment', 'resize.json');
  const fixture = JSON.parse(readFileSync(file, 'utf8')) as {
    width: number;
    height: number;
    cases: {
      box: { x: number; y: number; width: number; height: number };
      width: number;
      height: number;
      values: number[];
    }[];
  };

  test.each(fixture.cases)("are PyTorch's bilinear interpolation, rounded ($box to $width x $height)", (wanted) => {
    const { width, height } = fixture;
    const frame = Uint8Array.from(
      { length: width * height * 3 },
      (_, i) => (i * i * 31 + i * 7 + Math.floor(i / 51) * 40) % 256,
    );
    const clip = new Uint8Array([...frame.map((v) => 255 - v), ...frame]);
    const got = resizeCrop(clip, { frames: 2, width, height }, wanted.box, wanted.width, wanted.height);
    expect(got).toHaveLength(2 * wanted.values.length);
    const second = got.subarray(wanted.values.length);
    wanted.values.forEach((value, i) => expect(Math.abs(second[i]! - value)).toBeLessThanOrEqual(0.5 + 1e-6));
  });
});

describe('random erasing', () => {
  const size = { width: 64, height: 48 };

  test('probability, areas and number of boxes follow the options', () => {
    const drawn = many(2000, (random) => drawErasing({ prob: 0.25, mode: 'pixel', count: 3 }, size, random));
    expect(drawn.filter((boxes) => boxes.length > 0).length / 2000).toBeCloseTo(0.25, 1);
    expect(new Set(drawn.map((boxes) => boxes.length))).toEqual(new Set([0, 1, 2, 3]));
    for (const { x, y, width, height } of drawn.flat())
      expect(x >= 0 && y >= 0 && x + width <= 64 && y + height <= 48).toBe(true);
    const single = many(2000, (random) => drawErasing({ prob: 1, mode: 'pixel', count: 1 }, size, random)).flat();
    const shares = single.map((box) => (box.width * box.height) / (64 * 48));
    expect(Math.min(...shares)).toBeGreaterThan(0.01);
    expect(Math.max(...shares)).toBeLessThan(0.36);
  });

  test.each([
    ['const', 1, 1],
    ['rand', 2, 1],
    ['pixel', 100, 100],
  ] as const)('%s fills the box of every frame and nothing else', (mode, least, perFrame) => {
    const box = { x: 10, y: 20, width: 12, height: 10, mode };
    const clip = erase(new Uint8Array(2 * 64 * 48 * 3), { frames: 2, ...size }, [box], new Philox(2));
    const inside: string[][] = [[], []];
    for (let t = 0; t < 2; t++)
      for (let y = 0; y < 48; y++)
        for (let x = 0; x < 64; x++) {
          const pixel = clip.subarray(((t * 48 + y) * 64 + x) * 3, ((t * 48 + y) * 64 + x) * 3 + 3).join();
          if (x >= 10 && x < 22 && y >= 20 && y < 30) inside[t]!.push(pixel);
          else expect(pixel).toBe('0,0,0');
        }
    expect(new Set(inside.flat()).size).toBeGreaterThanOrEqual(least);
    expect(new Set(inside[0]).size).toBeGreaterThanOrEqual(perFrame);
    if (mode !== 'const') expect(inside[0]).not.toEqual(inside[1]);
    if (mode === 'const') expect(inside[0]![0]).toBe('115,115,115');
  });
});

describe('mixing', () => {
  const options = { alpha: 0.8, cutmixAlpha: 1, prob: 1, switchProb: 0.5 };

  test.each([0.2, 0.8, 1, 3])('beta numbers of parameter %p have the mean and variance they should', (a) => {
    const drawn = many(20_000, (random) => beta(a, random));
    expect(mean(drawn)).toBeCloseTo(0.5, 1);
    const variance = mean(drawn.map((x) => (x - 0.5) ** 2));
    expect(Math.abs(variance * 4 * (2 * a + 1) - 1)).toBeLessThan(0.05);
  });

  test('half of the mixed batches are cutmix; none is mixed at probability 0', () => {
    const drawn = many(2000, (random) => drawMix(options, SIZE, random));
    expect(drawn.filter((mix) => mix?.kind === 'cutmix').length / 2000).toBeCloseTo(0.5, 1);
    expect(many(50, (random) => drawMix({ ...options, prob: 0 }, SIZE, random)).every((mix) => mix === null)).toBe(
      true,
    );
    expect(drawMix({ ...options, alpha: 0 }, SIZE, new Philox(1))?.kind).toBe('cutmix');
    expect(drawMix({ ...options, cutmixAlpha: 0 }, SIZE, new Philox(1))?.kind).toBe('mixup');
  });

  test('the box of CutMix has the share 1 - lambda of each side about its centre, cut off at the border', () => {
    const { width: w, height: h } = SIZE;
    const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    for (let i = 0; i < 300; i++) {
      const [random, same] = [new Philox(i), new Philox(i)];
      const mix = drawMix({ alpha: 0, cutmixAlpha: 1, prob: 1, switchProb: 0.5 }, SIZE, random)!;
      same.uniform();
      const side = Math.sqrt(1 - beta(1, same));
      const [cy, cx] = [same.int(h), same.int(w)];
      const [dy, dx] = [h, w].map((length) => Math.floor(Math.floor(length * side) / 2)) as [number, number];
      const [x, y] = [clip(cx - dx, w), clip(cy - dy, h)];
      const box = { x, y, width: clip(cx + dx, w) - x, height: clip(cy + dy, h) - y };
      expect(mix).toEqual({ kind: 'cutmix', lambda: 1 - (box.width * box.height) / (w * h), box });
    }
  });

  test('targets are smoothed, weighted and sum to 1', () => {
    const targets = softTargets(Int32Array.of(0, 2, 2), 4, 0.1, 0.7);
    expect([...targets.subarray(0, 4)].map((v) => Number(v.toFixed(4)))).toEqual([0.655, 0.025, 0.295, 0.025]);
    expect([...targets.subarray(4, 8)].map((v) => Number(v.toFixed(4)))).toEqual([0.025, 0.025, 0.925, 0.025]);
    for (let row = 0; row < 3; row++) expect(mean([...targets.subarray(row * 4, row * 4 + 4)]) * 4).toBeCloseTo(1, 6);
  });
});
