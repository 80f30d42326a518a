import { Philox } from '../../../src/core/philox';
import { DRAWN } from '../../../src/data/synthetic/drawn';
import {
  ACTIONS,
  CAMERAS,
  checkFilm,
  film,
  FILM_CLASSES,
  filmLabels,
  filmTargets,
} from '../../../src/data/synthetic/films';
import { drawWorld, look } from '../../../src/data/synthetic/world';

const options = { seed: 3, stream: 0, size: 32, frames: 4 };

test('a film depends on seed, stream and index alone, and each of them matters', () => {
  const bytes = film(5, options);
  expect(bytes).toHaveLength(4 * 32 * 32 * 3);
  expect(film(5, options)).toEqual(bytes);
  for (const other of [film(6, options), film(5, { ...options, seed: 4 }), film(5, { ...options, stream: 1 })])
    expect(other).not.toEqual(bytes);
});

test('every combination of labels comes equally often, with a third of the target each', () => {
  const all = CAMERAS.length * ACTIONS.length * (FILM_CLASSES.length - CAMERAS.length - ACTIONS.length);
  const seen = new Set(Array.from({ length: all }, (_, i) => filmLabels(i).join()));
  expect(seen.size).toBe(all);
  for (const index of [0, 1, 77]) {
    const labels = filmLabels(index);
    expect(labels.map((label) => FILM_CLASSES[label]!.startsWith('camera-'))).toEqual([true, false, false]);
    expect(FILM_CLASSES[labels[1]]).toMatch(/^figure-/);
    filmTargets(index).forEach((target, c) =>
      expect(target).toBeCloseTo((labels as number[]).includes(c) ? 1 / 3 : 0, 6),
    );
    expect(DRAWN.films.label(index)).toBe(labels[0]);
  }
});

describe('the camera', () => {
  const world = drawWorld(64, new Philox(1));
  const seen = (x: number, y: number, scale = 1, angle = 0): Float32Array => {
    const picture = new Float32Array(16 * 16 * 3);
    look(world, { x, y, scale, angle }, 16, picture);
    return picture;
  };
  const pixel = (picture: Float32Array, x: number, y: number): number[] => [
    ...picture.slice((y * 16 + x) * 3, (y * 16 + x) * 3 + 3),
  ];

  test('shows the plane shifted by where it is, also across its edge', () => {
    for (const x of [20.5, 62.5]) {
      const [here, right, below] = [seen(x, 30.5), seen(x + 3, 30.5), seen(x, 32.5)];
      for (const [u, v] of [
        [0, 0],
        [5, 9],
        [12, 13],
      ] as const) {
        pixel(right, u, v).forEach((value, c) => expect(value).toBeCloseTo(pixel(here, u + 3, v)[c]!, 4));
        pixel(below, u, v).forEach((value, c) => expect(value).toBeCloseTo(pixel(here, u, v + 2)[c]!, 4));
      }
    }
  });

  test('turned by a quarter sees rows as columns, and from twice as far sees every second pixel', () => {
    const [here, turned] = [seen(20, 30), seen(20, 30, 1, Math.PI / 2)];
    for (const [u, v] of [
      [1, 2],
      [8, 3],
      [15, 15],
    ] as const)
      pixel(turned, u, v).forEach((value, c) => expect(value).toBeCloseTo(pixel(here, 15 - v, u)[c]!, 2));
    const [far, near] = [seen(20, 30, 2), seen(20, 30)];
    expect(Math.abs(pixel(far, 8, 8)[0]! - pixel(near, 8, 8)[0]!)).toBeLessThan(60);
    expect(far).not.toEqual(near);
  });
});

test('options out of range are refused', () => {
  expect(() => checkFilm({ size: 8, frames: 4 })).toThrow('films: size must be an integer of at least 16, got 8');
  expect(() => checkFilm({ size: 32, frames: 0 })).toThrow('films: frames must be an integer of at least 1, got 0');
});
