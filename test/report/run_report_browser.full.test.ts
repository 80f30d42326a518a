/// <reference lib="dom" />
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { writeRunReport } from '../../src/report/run_report';
import type { RunReport } from '../../src/report/types';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { CLASSES, largeReport, sampleReport } from './sample';

let folder = '';
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'report-'));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

async function open(name: string, report: RunReport, options: Parameters<typeof openFile>[2] = {}) {
  const file = path.join(folder, `${name}.html`);
  await writeRunReport(file, report);
  return openFile(browser, file, options);
}

/** Counts the coloured lines of a chart. */
const lines = (page: Page, id: string, stroke: string) =>
  page.locator(`#chart-${id} svg path[fill="none"][stroke="${stroke}"]`).count();
/** Waits until a chart shows this many lines of each colour: it redraws asynchronously. */
const expectLines = async (page: Page, id: string, expected: Record<string, number>) => {
  const found = async () =>
    Object.fromEntries(await Promise.all(Object.keys(expected).map(async (c) => [c, await lines(page, id, c)])));
  for (let tries = 0; tries < 100 && !isDeepStrictEqual(await found(), expected); tries++)
    await page.waitForTimeout(50);
  expect(await found()).toEqual(expected);
};
const variable = (page: Page, name: string) =>
  page.evaluate((n) => getComputedStyle(document.documentElement).getPropertyValue(n).trim(), name);

const TEXTS = [
  '.card dt',
  '.card small',
  '.sub span',
  '.muted',
  '.matrix td',
  '.matrix th',
  '.tag',
  '.facts th',
  'thead th',
  'figcaption button',
];

describe.each(['light', 'dark'] as const)('a report in %s', (colorScheme) => {
  test('draws its charts without requests or errors, and is readable', async () => {
    const { page, complaints, requests } = await open(colorScheme, sampleReport(), { colorScheme });
    const [train, val, rate] = [
      await variable(page, '--train'),
      await variable(page, '--val'),
      await variable(page, '--rate'),
    ];
    await expectLines(page, 'loss', { [train]: 2, [val]: 1 });
    await expectLines(page, 'accuracy', { [train]: 2 });
    await expectLines(page, 'rate', { [rate]: 1 });
    expect(
      await page
        .locator('.mistake img')
        .evaluateAll((all) => all.every((i) => (i as HTMLImageElement).naturalWidth > 100)),
    ).toBe(true);
    for (const selector of TEXTS)
      expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
    await shoot(page, `run_report_${colorScheme}`);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
  });
});

test('the backgrounds differ, and charts follow a change of the scheme', async () => {
  const { page } = await open('scheme', sampleReport());
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = { ground: await ground(), train: await variable(page, '--train') };
  await page.emulateMedia({ colorScheme: 'dark' });
  const train = await variable(page, '--train');
  expect(train).not.toBe(before.train);
  expect(await ground()).not.toBe(before.ground);
  await expectLines(page, 'loss', { [train]: 2, [before.train]: 0 });
});

test('the page of a running training is loaded again until the training ends', async () => {
  const running: RunReport = { ...sampleReport(), status: 'running' };
  const file = path.join(folder, 'running.html');
  await writeRunReport(file, running);
  const page = await browser.newPage();
  // The page's time stands still between the steps of the test, however slow the machine is.
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(3_600_000);
  await page.goto(`file://${file}`);
  let reloads = 0;
  page.on('load', () => void reloads++);
  const later = async (seconds: number): Promise<void> => {
    await page.clock.fastForward(1000 * seconds);
    await page.waitForLoadState('load');
    await page.waitForSelector('html[data-ready]', { state: 'attached' });
  };
  await later(29);
  expect(reloads).toBe(0);
  await writeRunReport(file, { ...running, title: 'after an epoch' });
  await Promise.all([page.waitForEvent('load'), page.clock.fastForward(2000)]);
  expect(await page.locator('h1').textContent()).toBe('after an epoch');
  await writeRunReport(file, { ...running, status: 'finished' });
  await Promise.all([page.waitForEvent('load'), page.clock.fastForward(30_000)]);
  expect(await page.locator('.status').textContent()).toBe('finished');
  await later(300);
  expect(reloads).toBe(2);
  await page.close();
});

test('labels, paths and reasons never become markup or code', async () => {
  const evil = (where: string) =>
    `</script><img src="file:///evil" onerror="window.hacked='${where}'"><script>window.hacked=1</script>${where}`;
  const base = sampleReport();
  const [first] = base.evaluation!.mistakes;
  const { page, complaints, requests } = await open('evil', {
    ...base,
    ...{ title: evil('title'), classNames: CLASSES.map((_, i) => evil(`class ${i}`)), command: evil('command') },
    ...{ skipped: [{ name: evil('file'), reason: evil('reason') }], config: { [evil('key')]: evil('value') } },
    evaluation: { ...base.evaluation!, mistakes: [{ ...first!, clip: { ...first!.clip, path: evil('path') } }] },
  });
  await page.locator('#chart-loss').hover();
  expect(await page.evaluate(() => (window as unknown as { hacked?: unknown }).hacked)).toBeUndefined();
  expect(await page.locator('img:not([src^="data:"]), main script, [onerror]').count()).toBe(0);
  expect(await page.locator('h1').textContent()).toBe(evil('title'));
  expect(await page.locator('.mistake img').getAttribute('alt')).toContain(evil('path'));
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});

test('names in a heat map stay text in its tooltip', async () => {
  const evil = '<img src="file:///evil" onerror="window.hacked=1">';
  const names = Array.from({ length: 30 }, (_, i) => `${evil}${i}`);
  const confusion = names.map((_, i) => names.map((_n, j) => (i === j ? 5 : 1)));
  const base = sampleReport();
  const { page, complaints, requests } = await open('heat', {
    ...base,
    classNames: names,
    evaluation: { ...base.evaluation!, confusion, mistakes: [] },
  });
  await page.locator('#chart-confusion').scrollIntoViewIfNeeded();
  await page.locator('#chart-confusion').hover();
  await expect(page.locator('.tip b').textContent()).resolves.toMatch(/^<img.*→ <img/);
  expect(await page.locator('#chart-confusion img').count()).toBe(0);
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});

test('everything works by keyboard', async () => {
  const { page } = await open('keys', sampleReport());
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
  await page.locator('#chart-loss').focus();
  await page.keyboard.press('End');
  expect(await page.locator('#live').textContent()).toMatch(
    /^step 288 · epoch 12\.00, training [\d.]+, validation [\d.]+$/,
  );
  await expect(page.locator('#chart-loss .tip b').textContent()).resolves.toBe('step 288 · epoch 12.00');
  await page.keyboard.press('ArrowLeft');
  expect(await page.locator('#live').textContent()).toMatch(/^step 274 · /);

  const [train, val] = [await variable(page, '--train'), await variable(page, '--val')];
  await page.locator('[data-chart="loss"][data-curve="training"]').focus();
  await page.keyboard.press('Space');
  await expectLines(page, 'loss', { [train]: 0, [val]: 1 });
  await page.locator('[data-log="loss"]').press('Enter');
  expect(await page.locator('[data-log="loss"]').getAttribute('aria-pressed')).toBe('true');
  await page.locator('summary').first().press('Enter');
  expect(await page.locator('details tbody tr').first().isVisible()).toBe(true);
});

test('classes are sorted by a click on a heading', async () => {
  const { page } = await open('sort', sampleReport());
  const column = (n: number) => page.locator(`.sortable tbody tr > :nth-child(${n})`).allTextContents();
  const figures = async () => (await column(3)).map((t) => parseFloat(t));
  expect(await figures()).toEqual([...(await figures())].sort((a, b) => a - b));
  await page.locator('[data-sort]', { hasText: 'Accuracy' }).click();
  expect(await figures()).toEqual([...(await figures())].sort((a, b) => b - a));
  await page.locator('[data-sort]', { hasText: 'Class' }).click();
  expect(await column(1)).toEqual([...CLASSES].sort());
  expect(await page.locator('[aria-sort="ascending"]').textContent()).toBe('Class');
});

test.each([360, 768])('a page of %d pixels has no sideways scrolling', async (width) => {
  for (const [name, report] of [
    ['small', sampleReport()],
    ['large', largeReport()],
  ] as const) {
    const { page, complaints } = await open(`${name}_${width}`, report, { width });
    const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(needed).toBeLessThanOrEqual(there as number);
    await shoot(page, `run_report_${name}_${width}`);
    expect(complaints).toEqual([]);
  }
});

test('400 classes are drawn on a canvas that is not empty', async () => {
  const { page, complaints, requests } = await open('large', largeReport());
  const colors = await page.locator('#chart-confusion canvas').evaluateAll((nodes) => {
    const seen = (nodes as HTMLCanvasElement[]).map((canvas) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    return Math.max(...seen);
  });
  expect(colors).toBeGreaterThan(20);
  await shoot(page, 'run_report_large_light');
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});
