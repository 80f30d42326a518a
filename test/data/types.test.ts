import { stackClips, toBatch, UnreadableClip, isUnreadable, type Clip } from '../../src/data/types';

const clip = (values: number[], label: number, more: Partial<Clip> = {}): Clip => ({
  ...{ pixels: Uint8Array.from(values), frames: 1, height: 1, width: 2, label, path: `c${label}` },
  ...more,
});
const one = clip([0, 51, 102, 153, 204, 255], 4);
const two = clip([1, 2, 3, 4, 5, 6], 7);

test('toBatch normalises and puts the planes first', () => {
  const { x, shape, labels, clips } = toBatch([one, two], { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  expect(shape).toEqual([2, 3, 1, 1, 2]);
  expect([...labels]).toEqual([4, 7]);
  expect(clips).toEqual([one, two]);
  const bytes = [0, 153, 51, 204, 102, 255, 1, 4, 2, 5, 3, 6];
  expect([...x]).toEqual(bytes.map((byte) => Math.fround((byte / 255 - 0.5) / 0.25)));
  expect(toBatch([one]).x[0]).toBe(Math.fround(-0.45 / 0.225));
});

test('stackClips keeps the bytes', () => {
  const { pixels, shape, labels } = stackClips([one, two]);
  expect(shape).toEqual([2, 1, 1, 2, 3]);
  expect([...pixels]).toEqual([...one.pixels, ...two.pixels]);
  expect([...labels]).toEqual([4, 7]);
});

test.each([
  [[], 'toBatch: expected at least one clip, got none'],
  [[one, clip([1, 2, 3], 2, { width: 1 })], 'toBatch: c2 is 1x1x1, c4 1x1x2'],
  [[clip([1, 2], 2)], 'toBatch: c2 has 2 bytes, 1x1x2x3 needs 6'],
])('%# is refused', (clips, message) => {
  expect(() => toBatch(clips)).toThrow(message);
});

test('a standard deviation of 0 is refused', () => {
  expect(() => toBatch([one], { mean: [0.45, 0.45, 0.45], std: [0.225, 0, 0.225] })).toThrow(
    'positive std, got mean 0.45, std 0',
  );
});

test('an unreadable clip is known by its code', () => {
  expect(isUnreadable(new UnreadableClip('x: no'))).toBe(true);
  expect([isUnreadable(new Error('x')), isUnreadable(undefined)]).toEqual([false, false]);
});
