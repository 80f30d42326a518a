import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  bestEpoch,
  confusionChart,
  curveCharts,
  smooth,
  thin,
  type CurveChart,
  type Point,
} from '../../src/report/charts';
import { escapeHtml } from '../../src/report/html';
import { renderRunReport, writeRunReport } from '../../src/report/run_report';
import { CLASSES, largeReport, sampleReport } from './sample';

/** The page without scripts and styles. */
const readable = (page: string) => page.replace(/<(script|style)\b.*?<\/\1>/gs, '').replace(/\s+/g, ' ');
const chartsOf = (page: string) =>
  JSON.parse(/<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(page)?.[1] ?? '') as CurveChart[];
const text = (page: string) =>
  readable(page)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

test('thinning keeps the mean of each run of points and the last x', () => {
  const points = Array.from({ length: 10_007 }, (_, i): Point => [i + 1, i % 2]);
  const thinned = thin(points, 100);
  expect(thinned).toHaveLength(100);
  expect(thinned.at(-1)?.[0]).toBe(10_007);
  thinned.forEach(([, y]) => expect(Math.abs((y as number) - 0.5)).toBeLessThan(0.01));
  expect(
    thin(
      [
        [1, null],
        [2, null],
      ],
      1,
    ),
  ).toEqual([[2, null]]);
  expect(
    thin(
      [
        [1, null],
        [2, 4],
      ],
      1,
    ),
  ).toEqual([[2, 4]]);
  expect(thin([[1, 2]], 5)).toEqual([[1, 2]]);
});

test('smoothing keeps constants, starts unbiased and preserves gaps', () => {
  const level = Array.from({ length: 50 }, (_, i): Point => [i, 3]);
  smooth(level, 10).forEach(([, y]) => expect(y).toBeCloseTo(3, 12));
  expect(
    smooth(
      [
        [0, 1],
        [1, null],
        [2, 3],
        [3, NaN],
      ],
      1,
    ),
  ).toEqual([
    [0, 1],
    [1, null],
    [2, 3],
    [3, null],
  ]);
  expect(
    smooth(
      [
        [0, 0],
        [1, 3],
      ],
      2,
    )[1]?.[1],
  ).toBeCloseTo(2, 12);
});

test('the best epoch is the earliest with the greatest validation accuracy', () => {
  const { epochs } = sampleReport();
  const at = (...values: (number | null)[]) =>
    epochs.slice(0, values.length).map((e, i) => ({ ...e, valTop1: values[i] ?? null }));
  expect(bestEpoch(at(null, 0.5, 0.7, 0.7))?.epoch).toBe(3);
  expect(bestEpoch(at(0))?.epoch).toBe(1);
  expect(bestEpoch(at(null, NaN))).toBeNull();
  expect(bestEpoch([])).toBeNull();
});

test('curves are by step if steps are known, with epochs at their last step', () => {
  const [loss, accuracy, rate] = curveCharts(sampleReport()) as [CurveChart, CurveChart, CurveChart];
  expect([loss.xName, loss.perEpoch, loss.logScale]).toEqual(['step', 24, true]);
  expect(loss.curves.map((c) => [c.name, c.points.length, c.points[0]?.[0], c.points.at(-1)?.[0]])).toEqual([
    ['training', 288, 1, 288],
    ['validation', 12, 24, 288],
  ]);
  expect(loss.curves[0]?.raw?.[0]?.[1]).toBe(sampleReport().steps[0]?.loss);
  expect(accuracy.level).toEqual({ y: 0.125, text: 'chance 12.5%' });
  expect(accuracy.mark?.text).toBe('best 96.1%');
  expect(rate.curves[0]?.points).toHaveLength(288);
  expect(loss.description).toMatch(/^Loss: training from [\d.]+ to [\d.]+; validation from [\d.]+ to [\d.]+\.$/);
});

test('curves are by epoch without steps, and absent without either', () => {
  const report = largeReport();
  const [loss, accuracy] = curveCharts(report) as [CurveChart, CurveChart];
  expect([loss.xName, loss.perEpoch]).toEqual(['epoch', null]);
  expect(loss.curves[0]?.points[0]).toEqual([1, report.epochs[0]?.trainLoss]);
  expect(accuracy.curves.map((c) => c.name)).toEqual(['training', 'validation', 'validation, top 5']);
  expect(accuracy.level).toBeUndefined();
  expect(curveCharts({ ...report, epochs: [] })).toEqual([]);
});

test('a heat map contains the cells with clips, as fractions of their true class', () => {
  expect(
    confusionChart(
      [
        [3, 1],
        [0, 0],
      ],
      ['a', 'b'],
    ).cells,
  ).toEqual([
    [0, 0, 0.75, 3],
    [1, 0, 0.25, 1],
  ]);
});

test('the page shows figures, tables, mistakes, data and set-up of the run', async () => {
  const page = await renderRunReport(sampleReport());
  const said = text(page);
  for (const part of [
    ...[
      'quickstart',
      'finished',
      '96.1%',
      '1.28M',
      '182.40M',
      '1 min 37 s',
      'cpu · avx512 · 2 threads',
      'commit fac8655',
    ],
    ...['Waiting for data 2.4% 2.1 s 7.29 ms', 'Backward 62.3%', 'Data is not what limits this run.'],
    ...['The surest 7 of', 'taken for right to left, 97.0%', 'motion://validation/100', 'Every file could be read.'],
    ...[
      'optim.weightDecay 0.05',
      'model.layers [1,1,2,1]',
      'runs/quickstart/best.safetensors',
      'morphmlp train --preset quickstart',
    ],
  ]) {
    expect(said).toContain(part);
  }
  expect(page.match(/<img [^>]*src="data:image\/png;base64,/g)).toHaveLength(7);
  expect(page.match(/alt="16 frames of motion:/g)).toHaveLength(7);
  expect(readable(page).match(/<td class="right/g)).toHaveLength(CLASSES.length);
  expect(chartsOf(page).map((c) => c.id)).toEqual(['loss', 'accuracy', 'rate']);
});

test('many classes are shown as a heat map with tables; skipped files and warnings are listed', async () => {
  const page = await renderRunReport(largeReport());
  expect(chartsOf(page).map((c) => c.id)).toEqual(['loss', 'accuracy', 'rate', 'confusion']);
  const said = text(page);
  for (const part of [
    ...['Pairs most often confused', 'Top 5', '99.8%', 'a view; 4 views a clip', '3 d 0 h', 'interrupted'],
    ...[
      '2 files were skipped',
      'moov atom not found',
      'Warning no gradient reaches',
      'Much of the time is spent waiting',
    ],
  ]) {
    expect(said).toContain(part);
  }
  expect(readable(page)).not.toContain('<table class="matrix">');
});

test('all user-provided names are escaped', async () => {
  const evil = (where: string) => `</script><img src=x onerror="hacked('${where}')"> & ${where}`;
  const report = sampleReport();
  const facts = { [evil('fact')]: evil('value') };
  const [mistake] = report.evaluation!.mistakes;
  const page = await renderRunReport({
    ...report,
    ...{ title: evil('title'), startedAt: evil('date'), command: evil('command'), versions: facts, files: facts },
    ...{
      classNames: CLASSES.map((_, i) => evil(`class ${i}`)),
      warnings: [evil('warning')],
      data: { train: facts, val: facts },
    },
    ...{ config: { [evil('key')]: [evil('list')] }, skipped: [{ name: evil('file'), reason: evil('reason') }] },
    model: { ...report.model, name: evil('model'), input: evil('input') },
    device: { name: evil('device'), kernels: evil('kernels') },
    evaluation: { ...report.evaluation!, mistakes: [{ ...mistake!, clip: { ...mistake!.clip, path: evil('path') } }] },
  });
  expect(page).not.toMatch(/<img src=x|<\/script><img/);
  const names = [
    'title',
    'date',
    'command',
    'fact',
    'value',
    'class 0',
    'class 7',
    'warning',
    'key',
    'file',
    'reason',
    'model',
    'device',
    'path',
  ];
  for (const where of names) expect(page).toContain(escapeHtml(evil(where)));
});

test('a run that ended early with NaN figures still has a page', async () => {
  const base = sampleReport();
  const nan = { ...base.epochs[0]!, trainLoss: NaN, valLoss: NaN, valTop1: null, valTop5: null };
  const broken = {
    ...base,
    status: 'failed' as const,
    epochs: [nan],
    steps: [{ step: 1, epoch: 0.1, loss: NaN, learningRate: 0.1 }],
  };
  expect(text(await renderRunReport({ ...broken, evaluation: null }))).toContain('not validated');
  const none = {
    ...base,
    epochs: [],
    steps: [],
    evaluation: null,
    shares: { data: 0, forward: 0, backward: 0, optimizer: 0 },
  };
  expect(text(await renderRunReport(none))).toContain('The run ended before its first step.');
  const perfect = {
    ...base.evaluation!,
    confusion: [
      [4, 0],
      [0, 0],
    ],
    mistakes: [],
    clips: 4,
  };
  const page = text(await renderRunReport({ ...base, classNames: ['a', 'b'], evaluation: perfect }));
  expect(page).toContain('All 4 clips were classified correctly.');
  expect(page).toContain('b no clips – – – –');
});

test('forward and backward of replayed steps are one part of the time', async () => {
  const { shares, ...base } = sampleReport();
  const launched = text(await renderRunReport({ ...base, shares }));
  expect(launched).toMatch(/ Forward \d.* Backward \d/);
  const replayed = text(await renderRunReport({ ...base, shares: { ...shares, backward: 0 } }));
  expect(replayed).toMatch(/ Forward and backward \d/);
  expect(replayed).not.toMatch(/ Backward /);
});

test('data that does not match the class names is refused', async () => {
  const base = sampleReport();
  const evaluation = base.evaluation!;
  await expect(renderRunReport({ ...base, classNames: ['a'] })).rejects.toThrow(
    'report: expected a confusion matrix of 1 × 1 for 1 class names, got 8 × 8',
  );
  const ragged = evaluation.confusion.map((row, i) => (i === 3 ? row.slice(1) : row));
  await expect(renderRunReport({ ...base, evaluation: { ...evaluation, confusion: ragged } })).rejects.toThrow(
    'got 8 × 7',
  );
  const mistakes = [{ ...evaluation.mistakes[0]!, predicted: 8 }];
  await expect(renderRunReport({ ...base, evaluation: { ...evaluation, mistakes } })).rejects.toThrow(
    'report: motion://validation/100: expected a class below 8, got 8',
  );
});

test('a report is written atomically without leftovers', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'report-'));
  await writeRunReport(path.join(folder, 'report.html'), sampleReport());
  expect(readdirSync(folder)).toEqual(['report.html']);
  expect(readFileSync(path.join(folder, 'report.html'), 'utf8').trimEnd().endsWith('</html>')).toBe(true);
  rmSync(folder, { recursive: true });
});
