import { sharpness } from '../../../src/data/augment/tone_ops';

test('sharpness of pixels in a Buffer, whose slice() is no copy, is that of other bytes', () => {
  const frame = Uint8Array.from({ length: 7 * 6 * 3 }, (_, i) => (i * 97) % 251);
  const buffer = Buffer.from(frame);
  const before = frame.slice();
  sharpness(frame, 0, 7);
  sharpness(buffer, 0, 7);
  expect([...buffer]).toEqual([...frame]);
  const at = 2 * 21 + 3 * 3; // factor 0 is the smoothed picture: 5 times the pixel and its neighbours, over 13
  const taps = [-24, -21, -18, -3, 3, 18, 21, 24].reduce((sum, step) => sum + before[at + step]!, 5 * before[at]!);
  expect(frame[at]).toBe(Math.floor(taps / 13 + 0.5));
});
