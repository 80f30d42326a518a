/// <reference lib="dom" />
/** The page of benchmarks in a browser. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { parseResults } from '../../src/bench/results';
import { renderBenchPage } from '../../src/report/bench_page';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { kernelResults, modelResults } from './bench_sample';

let folder = '';
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'bench-page-'));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

const many = [1.3, 1.1, 1].map((slower, i) =>
  parseResults(`results/kernels_${i}.json`, kernelResults(`abc123${i}`, { slower, day: 10 + i, others: 0.3 })),
);
const PAGES = {
  kernels: () => renderBenchPage(many, ['my_kernel.so (gelu stage 1): crashed: <b>SIGSEGV</b>']),
  models: () => renderBenchPage([parseResults('models.json', modelResults('abc1234'))]),
};
const write = (name: keyof typeof PAGES): string => {
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, PAGES[name]());
  return file;
};
const TEXTS = [
  '.card dt',
  '.card small',
  '.note',
  '.muted',
  '.figures td',
  '.figures .group th',
  'thead th',
  '.identity dd',
];

describe.each(['kernels', 'models'] as const)('the page of bench %s', (name) => {
  test.each(['light', 'dark'] as const)('is readable in %s, without requests or errors', async (colorScheme) => {
    const { page, complaints, requests } = await openFile(browser, write(name), { colorScheme, width: 1440 });
    for (const selector of TEXTS)
      expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|null|Infinity/);
    await page.waitForTimeout(300);
    await shoot(page, `bench_${name}_${colorScheme}`);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
  });

  test.each([360, 1440])('has no sideways scrolling at %d pixels', async (width) => {
    const { page, complaints } = await openFile(browser, write(name), { width });
    for (const details of await page.locator('details').all())
      await details.evaluate((node) => node.setAttribute('open', ''));
    const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(needed).toBeLessThanOrEqual(there as number);
    await shoot(page, `bench_${name}_${width}`);
    expect(complaints).toEqual([]);
  });
});

test('every kernel that multiplies is on the roofline, with its share of the limit', async () => {
  const { page } = await openFile(browser, write('kernels'));
  await page.locator('#chart-limits').focus();
  const read = async (key: string) => {
    await page.keyboard.press(key);
    return page.locator('#live').textContent();
  };
  // 0.48 GFLOP and 5.5 MB: 43.6 multiply-adds a byte; 1.2 ms of 2 ms at the limit.
  expect(await read('Home')).toMatch(
    /^linear stage 3 .* forward .*, morphmlp: 43\.6 multiply-adds a byte, (59|60|61)% of the limit$/,
  );
  await expect(page.locator('#chart-limits .tip b').textContent()).resolves.toMatch(/^linear stage 3/);
  const all = [await read('Home')];
  for (let i = 1; i < 20; i++) all.push(await read('ArrowRight'));
  expect(new Set(all).size).toBe(20); // five variants of four rows; gelu multiplies nothing
  expect(await read('End')).toBe(all.at(-1));
  expect(await page.locator('#chart-limits svg path[fill="none"], #chart-limits b').count()).toBeGreaterThan(0);
  expect(await page.locator('#chart-limits b').count()).toBe(1); // names stay text
});

test('the ranking has the fastest first, with intervals, by keyboard', async () => {
  const { page } = await openFile(browser, write('kernels'));
  const first = page.locator('#ranking details').first();
  const names = (await first.locator('tbody tr:not(.group) th').allTextContents()).map((t) => t.trim());
  expect(names.slice(0, 5)).toEqual(['oneDNN', 'morphmlp', 'OpenBLAS', 'my_kernel with a <b>long</b> name', 'naive']);
  const speeds = (await first.locator('tbody tr:not(.group) td:last-child').allTextContents()).map((t) => t.trim());
  expect(speeds[0]).toMatch(/^1\.\d+ \(1\.\d+–1\.\d+\)$/);
  expect(speeds[1]).toBe('1');
  const second = page.locator('#ranking details').nth(1);
  await second.locator('summary').press('Enter');
  expect(await second.locator('tbody tr').first().isVisible()).toBe(true);
});

test('the history is read by keyboard: speed relative to the first file', async () => {
  const { page } = await openFile(browser, write('kernels'));
  await page.locator('#chart-history').focus();
  await page.keyboard.press('Home');
  expect(await page.locator('#live').textContent()).toMatch(
    /^abc1230 03-10 · results\/kernels_0\.json, linear 1, .*gelu 1$/,
  );
  await page.keyboard.press('End');
  expect(await page.locator('#live').textContent()).toMatch(/^abc1232 03-12 .*, linear 1\.[23]\d?, /);
  expect(await page.locator('#history-files td', { hasText: 'faster' }).count()).toBeGreaterThan(10);
});
