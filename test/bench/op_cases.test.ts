import { relativeError, worstElement } from '../../src/bench/op_cases/compare';

const EXPECTED = [3, -4, 0, 12];
const withAt = (i: number, value: number) => EXPECTED.map((v, k) => (k === i ? value : v));

test('errors are relative to the norm and to the largest element', () => {
  expect(relativeError(EXPECTED, EXPECTED)).toBe(0);
  expect(relativeError([3, -4, 1.3, 12], EXPECTED)).toBeCloseTo(0.1, 12);
  expect(worstElement([3, -4, 1.2, 12], EXPECTED)).toBeCloseTo(0.1, 12);
  expect(relativeError([0.5, 0], [0, 0])).toBe(0.5); // absolute if the reference is zero
});

test.each([0, 1, 2, 3])('a NaN at index %i fails both comparisons', (i) => {
  for (const value of [NaN, Infinity, -Infinity]) {
    expect(() => relativeError(withAt(i, value), EXPECTED)).toThrow(
      `element ${i} is ${value}, expected ${EXPECTED[i]}`,
    );
    expect(() => relativeError(EXPECTED, withAt(i, value))).toThrow(`the reference is ${value} at element ${i}`);
    expect(worstElement(withAt(i, value), EXPECTED) <= 1).toBe(false);
  }
});

test('different lengths are an error', () => {
  expect(() => relativeError(EXPECTED.slice(1), EXPECTED)).toThrow('expected 4 elements, got 3');
  expect(() => relativeError([...EXPECTED, 0], EXPECTED)).toThrow('expected 4 elements, got 5');
  expect(worstElement([3, -4, 0], EXPECTED)).toBeNaN();
});
