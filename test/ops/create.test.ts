import { manualSeed } from '../../src/core/generator';
import { arange, eye, onesLike, rand, randn, zerosLike } from '../../src/core/create';
import { scope } from '../../src/core/scope';
import { full, ones } from '../../src/core/tensor';
import { float, dropFactors } from '../../src/ops';

test('arange, eye, zerosLike, onesLike', () => {
  scope(() => {
    expect(arange(3).toArray()).toEqual([0, 1, 2]);
    expect(arange(1, 4, { dtype: 'i32' }).data()).toEqual(Int32Array.of(1, 2, 3));
    expect(arange(1, 0, { step: -0.5 }).toArray()).toEqual([1, 0.5]);
    expect(arange(2, 1).shape).toEqual([0]);
    expect(eye(2).toArray()).toEqual([[1, 0], [0, 1]]); // prettier-ignore
    expect(eye(1, 3).toArray()).toEqual([[1, 0, 0]]);
    const half = ones([2], { dtype: 'bf16' });
    expect([half.floats(), onesLike(half).dtype, zerosLike(half).dtype]).toEqual([
      Float32Array.of(1, 1),
      'bf16',
      'bf16',
    ]);
    expect(full([1], -1.00390625, { dtype: 'bf16' }).item()).toBe(-1); // ties to even
    expect(float(arange(3, undefined, { dtype: 'i32' })).dtype).toBe('f32');
    expect(() => arange(0, 1, { step: 0 })).toThrow('arange: no numbers from 0 to 1 in steps of 0');
    expect(() => rand([1], { dtype: 'i32' })).toThrow('random numbers are f32, got i32: cast() them');
  });
});

test('random numbers follow the seed, advance, and have the moments of their distribution', () => {
  scope(() => {
    manualSeed(5);
    const [a, b] = [rand([1000]).floats(), randn([70000]).floats()];
    manualSeed(5);
    expect(rand([1000]).floats()).toEqual(a);
    expect(rand([1000]).floats()).not.toEqual(a);
    expect(a.every((v) => v >= 0 && v < 1)).toBe(true);
    const mean = (v: Float32Array) => v.reduce((x, y) => x + y, 0) / v.length;
    expect(Math.abs(mean(a) - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(mean(b))).toBeLessThan(0.015);
    expect(Math.abs(mean(b.map((v) => v * v)) - 1)).toBeLessThan(0.02);
  });
});

test('rand draws the words that dropout would', () => {
  scope(() => {
    manualSeed(2 ** 40 + 3);
    const kept = [...rand([100]).floats()].map((v) => v >= 0.3);
    manualSeed(2 ** 40 + 3);
    expect([...dropFactors(100, 0.3, ones([1])).floats()].map((v) => v > 0)).toEqual(kept);
  });
});
