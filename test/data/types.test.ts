import { stackClips, UnreadableClip, isUnreadable, type Clip } from '../../src/data/types';

const clip = (values: number[], label: number, more: Partial<Clip> = {}): Clip => ({
  ...{ pixels: Uint8Array.from(values), frames: 1, height: 1, width: 2, label, path: `c${label}` },
  ...more,
});
const one = clip([0, 51, 102, 153, 204, 255], 4);
const two = clip([1, 2, 3, 4, 5, 6], 7);

test('stackClips keeps the bytes', () => {
  const { pixels, shape, labels } = stackClips([one, two]);
  expect(shape).toEqual([2, 1, 1, 2, 3]);
  expect([...pixels]).toEqual([...one.pixels, ...two.pixels]);
  expect([...labels]).toEqual([4, 7]);
});

test.each([
  [[], 'clips of a batch: expected at least one clip, got none'],
  [[one, clip([1, 2, 3], 2, { width: 1 })], 'clips of a batch: c2 is 1x1x1, c4 1x1x2'],
  [[clip([1, 2], 2)], 'clips of a batch: c2 has 2 bytes, 1x1x2x3 needs 6'],
])('%# is refused', (clips, message) => {
  expect(() => stackClips(clips)).toThrow(message);
});

test('an unreadable clip is known by its code', () => {
  expect(isUnreadable(new UnreadableClip('x: no'))).toBe(true);
  expect([isUnreadable(new Error('x')), isUnreadable(undefined)]).toEqual([false, false]);
});
