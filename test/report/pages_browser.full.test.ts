/// <reference lib="dom" />
/** The pages of an evaluation, of a comparison and of a timeline in a browser. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { compareRuns, comparisonPage } from '../../src/report/compare_runs';
import { renderEvaluation, type EvaluationReport } from '../../src/report/evaluation_page';
import type { RunFolder } from '../../src/report/run_folder';
import { TimelineData, timelinePage, timelineSvg } from '../../src/report/timeline';
import { runFiles } from '../../src/train/run_files';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { CLASSES, noise, sampleReport } from './sample';

let folder = '';
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'pages-'));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** An evaluation in which class 2 has no clips and class 5 is never predicted. */
function evaluation(): EvaluationReport {
  const { evaluation: found, model } = sampleReport();
  const confusion = found!.confusion.map((row, t) =>
    t === 2 ? row.map(() => 0) : row.map((n, p) => (p === 5 ? 0 : n)),
  );
  return {
    ...{ title: 'runs/mine/best.safetensors', at: '2026-03-14T09:26:00Z', device: 'cpu (avx512, 2 threads)' },
    command: 'morphmlp evaluate --data val.csv --checkpoint runs/mine --html evaluation.html',
    ...{ model, versions: { morphmlp: '0.1.0', node: 'v20' }, data: { source: 'val.csv', clips: 224, classes: 8 } },
    ...{ classNames: CLASSES, evaluation: { ...found!, confusion, views: { clips: 4, crops: 3 } } },
    skipped: [{ name: 'videos/broken.mp4', reason: 'it is empty, cut short or no video' }],
    files: { checkpoint: 'runs/mine/best.safetensors' },
  };
}

function run(name: string, scale: number, values: Record<string, unknown>): RunFolder {
  const { steps, epochs, model } = sampleReport();
  const own = epochs.map((e) => ({ ...e, valTop1: (e.valTop1 ?? 0) * scale, valLoss: (e.valLoss ?? 1) / scale }));
  return {
    ...{ folder: `runs/${name}`, files: runFiles(`runs/${name}`), status: 'finished' as const },
    config: new Map(Object.entries({ 'SOLVER.MAX_EPOCH': 12, 'SOLVER.BASE_LR': 2e-3, ...values })),
    log: {
      ...{ steps: [...steps], epochs: own, startedAt: '2026-03-14T09:26:00Z', seconds: 97, warnings: [] },
      ...{ shares: { data: 0, forward: 0, backward: 0, optimizer: 0 }, skipped: [], damaged: [] },
    },
    best: own.at(-1)!,
    model: { name: 'quickstart', parameters: model.parameters, macs: model.macs } as RunFolder['model'],
  };
}

const runs = [
  run('plain', 0.9, {}),
  run('augmented_with_a_rather_long_name', 1, { 'AUG.ENABLE': true, 'SOLVER.BASE_LR': 1e-3 }),
  run('small', 0.7, { 'MORPH.EMBED_DIMS': [16, 32, 48, 64] }),
];

function timeline(): TimelineData {
  const random = noise(4);
  const data = new TimelineData({ name: 'holiday.mp4', classNames: CLASSES, windows: 300, duration: 302.4 });
  for (let i = 0; i < 300; i++) {
    const best = [0, 0, 3, 1, 6, 1][Math.floor(i / 50)]!;
    const raw = CLASSES.map((_, c) => (c === best ? 2 + random() * 4 : random()));
    const sum = raw.reduce((a, b) => a + b, 0);
    data.add(
      i,
      { start: i, end: i + 2.13 },
      Float32Array.from(raw, (v) => v / sum),
    );
  }
  return data;
}

const PAGES: [name: string, render: () => Promise<string> | string, texts: string[]][] = [
  [
    'evaluation',
    () => renderEvaluation(evaluation()),
    ['.card dt', '.card small', '.matrix td', '.muted', '.figures td'],
  ],
  ['comparison', () => comparisonPage(runs, compareRuns(runs)), ['.figures td', 'thead th', '.key', '.best td']],
  [
    'timeline',
    () => timelinePage(timeline(), 'runs/mine/best.safetensors'),
    ['.timeline .name', '.axis span', '.figures td'],
  ],
];

describe.each(PAGES)('the page of the %s', (name, render, texts) => {
  test.each(['light', 'dark'] as const)('is readable in %s, without requests or errors', async (colorScheme) => {
    const file = path.join(folder, `${name}.html`);
    writeFileSync(file, await render());
    const { page, complaints, requests } = await openFile(browser, file, { colorScheme });
    for (const selector of texts)
      expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|null/);
    await page.waitForTimeout(300);
    await shoot(page, `${name}_${colorScheme}`);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
  });

  test('has no sideways scrolling at 360 pixels', async () => {
    const file = path.join(folder, `${name}.html`);
    writeFileSync(file, await render());
    const { page, complaints } = await openFile(browser, file, { width: 360 });
    const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(needed).toBeLessThanOrEqual(there as number);
    await shoot(page, `${name}_360`);
    expect(complaints).toEqual([]);
  });
});

test('the comparison draws a curve of each run in its colour', async () => {
  const file = path.join(folder, 'curves.html');
  writeFileSync(file, comparisonPage(runs, compareRuns(runs)));
  const { page } = await openFile(browser, file);
  for (const i of [1, 2, 3]) {
    const stroke = await page.evaluate(
      (n) => getComputedStyle(document.documentElement).getPropertyValue(n).trim(),
      `--series${i}`,
    );
    const lines = page.locator(`#chart-accuracy svg path[fill="none"][stroke="${stroke}"]`);
    await expect(lines.count()).resolves.toBe(1);
  }
});

test('strips have a rectangle of the class that is most probable at its time', async () => {
  const file = path.join(folder, 'strips.html');
  writeFileSync(file, timelinePage(timeline(), 'x'));
  const { page } = await openFile(browser, file);
  const fills = await page
    .locator('.strip.best rect')
    .evaluateAll((all) =>
      all.map((rect) => [rect.getAttribute('x'), rect.getAttribute('width'), getComputedStyle(rect).fill]),
    );
  expect(fills.map(([x, width]) => [Number(x), Number(width)])).toEqual([
    [0, 100],
    [100, 50],
    [150, 50],
    [200, 50],
    [250, 50],
  ]);
  expect(fills[2]![2]).toBe(fills[4]![2]);
  expect(new Set(fills.map(([, , fill]) => fill)).size).toBe(4);
});

test.each(['light', 'dark'] as const)('the picture of a timeline is well-formed in %s', async (colorScheme) => {
  const file = path.join(folder, 'timeline.svg');
  writeFileSync(file, timelineSvg(timeline()));
  const page = await browser.newPage({ colorScheme, viewport: { width: 1000, height: 300 } });
  await page.goto(`file://${file}`);
  expect(await page.evaluate(() => document.documentElement.tagName)).toBe('svg');
  expect(await page.locator('text', { hasText: 'left to right' }).count()).toBe(1);
  expect(await page.locator('rect').count()).toBeGreaterThan(50);
  const shown = path.join(folder, 'picture.html');
  writeFileSync(shown, `<meta name="color-scheme" content="light dark"><img src="timeline.svg" width="980">`);
  await page.goto(`file://${shown}`);
  await shoot(page, `timeline_svg_${colorScheme}`);
});
