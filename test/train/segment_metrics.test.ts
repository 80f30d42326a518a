import { uniform } from '../../src/bench/op_cases/random';
import { PixelConfusion, segmentMeasures } from '../../src/train/segment_metrics';

/**
 * A worked example of three classes, by hand. Truth 0 0 0 1 1 2 and an ignored pixel, predicted 0 0 1 1 1 1 0: class 0 has 2 of 3 pixels
 * right and a union of 3, class 1 has 2 of 2 and a union of 4, class 2 none of 1.
 */
test('a worked example', () => {
  const confusion = new PixelConfusion(3);
  confusion.add(Uint8Array.of(0, 0, 0, 1, 1, 2, 255), Uint8Array.of(0, 0, 1, 1, 1, 1, 0));
  expect(confusion.rows()).toEqual([
    [2, 1, 0],
    [0, 2, 0],
    [0, 1, 0],
  ]);
  const { miou, pixelAccuracy, meanAccuracy, classes } = segmentMeasures(confusion.rows());
  expect(classes).toEqual([
    { pixels: 3, iou: 2 / 3, accuracy: 2 / 3 },
    { pixels: 2, iou: 2 / 4, accuracy: 1 },
    { pixels: 1, iou: 0, accuracy: 0 },
  ]);
  expect(miou).toBeCloseTo((2 / 3 + 1 / 2) / 3, 15);
  expect([pixelAccuracy, meanAccuracy]).toEqual([4 / 6, (2 / 3 + 1) / 3]);
});

test('agrees with a plain count over sets of pixels, whatever the order of the pictures', () => {
  const [classes, area, pictures] = [7, 500, 6];
  const draw = (seed: number) => Uint8Array.from(uniform(seed, area), (v) => Math.floor((v + 1) * 3.5));
  const pairs = Array.from({ length: pictures }, (_, i) => {
    const truth = draw(i).map((v, at) => (at % 13 === 0 ? 255 : v));
    return { truth, predicted: draw(100 + i).map((v, at) => (at % 3 === 0 ? truth[at]! % classes : v)) };
  });
  const [one, other] = [new PixelConfusion(classes), new PixelConfusion(classes)];
  for (const { truth, predicted } of pairs) one.add(truth, predicted);
  for (const { truth, predicted } of pairs.toReversed()) other.add(truth, predicted);
  expect(other.rows()).toEqual(one.rows());
  const found = segmentMeasures(one.rows());
  const pixels = pairs.flatMap(({ truth, predicted }) => [...truth].map((t, i) => [t, predicted[i]!] as const));
  const labelled = pixels.filter(([t]) => t !== 255);
  const ious = Array.from({ length: classes }, (_, c) => {
    const both = labelled.filter(([t, p]) => t === c && p === c).length;
    return both / labelled.filter(([t, p]) => t === c || p === c).length;
  });
  expect(found.classes.map(({ iou }) => iou)).toEqual(ious);
  expect(found.miou).toBeCloseTo(ious.reduce((a, b) => a + b) / classes, 14);
  expect(found.pixelAccuracy).toBe(labelled.filter(([t, p]) => t === p).length / labelled.length);
});

test('a class that neither occurs nor is predicted is in no mean; nothing labelled is 0', () => {
  const confusion = new PixelConfusion(3);
  confusion.add(Uint8Array.of(0, 255), Uint8Array.of(0, 2));
  expect(segmentMeasures(confusion.rows())).toMatchObject({ miou: 1, pixelAccuracy: 1, meanAccuracy: 1 });
  expect(segmentMeasures(new PixelConfusion(2).rows())).toMatchObject({ miou: 0, pixelAccuracy: 0 });
});

test.each([
  [[3], [0], 'confusion: class 3 at pixel 0 is beyond the 3 classes'],
  [[0], [7], 'confusion: class 7 at pixel 0 is beyond the 3 classes'],
  [[0, 1], [0], 'confusion: expected 2 predicted pixels, got 1'],
])('truth %j, predicted %j is refused', (truth, predicted, message) => {
  expect(() => new PixelConfusion(3).add(Uint8Array.from(truth), Uint8Array.from(predicted))).toThrow(message);
});
