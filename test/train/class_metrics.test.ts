import { classMetrics, confusedPairs, macroMetrics } from '../../src/train/class_metrics';

/** True and predicted classes of clips: class 2 has no clips and is predicted once, class 3 is never predicted. */
const CLIPS: [truth: number, predicted: number][] = [
  ...[
    [0, 0],
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 1],
    [1, 0],
    [3, 0],
    [3, 0],
    [3, 1],
  ].map(([t, p]): [number, number] => [t!, p!]),
];
const K = 5; // class 4 has neither clips nor predictions

const confusion = Array.from({ length: K }, (_, t) =>
  Array.from({ length: K }, (_x, p) => CLIPS.filter(([a, b]) => a === t && b === p).length),
);

/** The measures of a class, counted clip by clip. */
function plain(c: number) {
  const [tp, fp, fn] = [
    CLIPS.filter(([t, p]) => t === c && p === c).length,
    CLIPS.filter(([t, p]) => t !== c && p === c).length,
    CLIPS.filter(([t, p]) => t === c && p !== c).length,
  ];
  const precision = tp + fp === 0 ? null : tp / (tp + fp);
  const recall = tp + fn === 0 ? null : tp / (tp + fn);
  const f1 = tp + fn === 0 ? null : (2 * tp) / (2 * tp + fp + fn);
  return { clips: tp + fn, predicted: tp + fp, precision, recall, f1 };
}

test('the measures of every class are those counted clip by clip, and none is NaN', () => {
  const found = classMetrics(confusion);
  expect(found).toEqual(Array.from({ length: K }, (_, c) => plain(c)));
  expect(JSON.stringify(found)).not.toMatch(/NaN/);
  expect(found.flatMap((one) => Object.values(one)).filter((v) => Number.isNaN(v))).toEqual([]);
  expect(found[2]).toEqual({ clips: 0, predicted: 1, precision: 0, recall: null, f1: null });
  expect(found[3]).toEqual({ clips: 3, predicted: 0, precision: null, recall: 0, f1: 0 });
  expect(found[4]).toEqual({ clips: 0, predicted: 0, precision: null, recall: null, f1: null });
});

test('means are over the classes with clips; a class that was never predicted counts with a precision of 0', () => {
  const macro = macroMetrics(classMetrics(confusion));
  const present = [0, 1, 3].map(plain);
  const mean = (of: 'precision' | 'recall' | 'f1') => present.reduce((sum, one) => sum + (one[of] ?? 0), 0) / 3;
  expect(macro.classes).toBe(3);
  expect(macro.precision).toBeCloseTo(mean('precision'), 12);
  expect(macro.recall).toBeCloseTo(mean('recall'), 12);
  expect(macro.f1).toBeCloseTo(mean('f1'), 12);
  expect(macroMetrics(classMetrics([[0]]))).toEqual({ classes: 0, precision: null, recall: null, f1: null });
});

test('the pairs most often confused come first', () => {
  expect(confusedPairs(confusion, 2)).toEqual([
    { truth: 3, predicted: 0, clips: 2, share: 2 / 3 },
    { truth: 1, predicted: 0, clips: 1, share: 1 / 3 },
  ]);
  expect(confusedPairs([[3]], 5)).toEqual([]);
});
