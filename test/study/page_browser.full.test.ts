/// <reference lib="dom" />
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { Clip } from '../../src/data/types';
import { renderStudy } from '../../src/report/study/page';
import { chunkOf } from '../../src/study/chunks';
import { fieldsOf } from '../../src/study/receptive_field';
import type { Study } from '../../src/study/types';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { sampleStudy } from './sample';

let folder = '';
let browser: Browser;
const { study, clips } = sampleStudy('train');
const { levels, sensitivities } = study.mixing!;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'study-'));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

async function open(
  name: string,
  options: Parameters<typeof openFile>[2] = {},
  [what, shown]: readonly [Study, readonly Clip[]] = [study, clips],
) {
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, await renderStudy(what, shown));
  const opened = await openFile(browser, file, options);
  await opened.page.waitForSelector('#mixing-view[data-ready]');
  return opened;
}

const control = (page: Page, name: string) => page.locator(`[data-mixing="${name}"]`);
const view = (page: Page, what: 'token' | 'lit') =>
  page.locator('#mixing-view').evaluate((node, key) => Number((node as HTMLElement).dataset[key]), what);
const levelOf = (name: string) => levels.findIndex((level) => level.name === name);
const count = (field: Uint8Array) => field.reduce((a, b) => a + b, 0);
/** Counts the distinct colours of a canvas. */
const colors = (page: Page, index: number) =>
  page
    .locator('.steps canvas')
    .nth(index)
    .evaluate((node) => {
      const canvas = node as HTMLCanvasElement;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });

test.each(['light', 'dark'] as const)(
  'in %s it draws everything, asks for nothing and complains of nothing',
  async (colorScheme) => {
    const { page, complaints, requests } = await open(colorScheme, { colorScheme });
    for (const id of ['blocks', 'roofline', 'memory', 'growth'])
      expect(await page.locator(`#chart-${id} svg path`).count()).toBeGreaterThan(5);
    expect(await page.locator('.steps canvas').count()).toBe(16);
    expect(await colors(page, 4)).toBeGreaterThan(100); // the cells cover a frame
    await shoot(page, `study_${colorScheme}`);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
  },
);

test('keys move the token, and the highlighted cells agree with the library', async () => {
  const { page, complaints } = await open('keys');
  const at = levelOf('blocks1.0');
  const { size, block } = levels[at]!;
  const [, h, w] = size;
  await control(page, 'level').selectOption(String(at));
  await control(page, 'show').selectOption('field');
  const before = await view(page, 'token');
  await control(page, 'grid').focus();
  for (const key of ['ArrowRight', 'ArrowDown', 'PageDown', 'ArrowLeft', 'ArrowLeft', 'PageUp'])
    await page.keyboard.press(key);
  const token = await view(page, 'token');
  expect(token).toBe(before + w - 1);
  expect(await view(page, 'lit')).toBe(count(fieldsOf(levels, at, token)[0]!));
  await control(page, 'time').uncheck();
  expect(await view(page, 'lit')).toBe(count(fieldsOf(levels, at, token, { time: false })[0]!));
  await control(page, 'height').uncheck();
  const width = { time: false, branches: ['width'] };
  expect(await view(page, 'lit')).toBe(count(fieldsOf(levels, at, token, width)[0]!));
  await control(page, 'weights').check();
  expect(await view(page, 'lit')).toBe(levels[0]!.size.reduce((a, b) => a * b, 1));

  await control(page, 'show').selectOption('partners:height');
  const cut = block!.branches['height']!;
  expect(await view(page, 'lit')).toBe(cut.chunk);
  const { chunk, place } = chunkOf(token % (h * w), [h, w], cut);
  expect(await control(page, 'reading').textContent()).toContain(
    `chunk ${chunk + 1} of ${(h * w) / cut.chunk}, place ${place + 1} of ${cut.chunk}`,
  );
  await control(page, 'show').selectOption('partners:time');
  expect(await view(page, 'lit')).toBe(size[0]);
  await page.keyboard.press('Tab');
  expect(complaints).toEqual([]);
});

test('a click selects the token under the mouse, and the cursor stops at the edge of the grid', async () => {
  const { page } = await open('click');
  const at = levelOf('blocks2.0');
  await control(page, 'level').selectOption(String(at));
  await control(page, 'show').selectOption('partners:width');
  const [, h, w] = levels[at]!.size;
  const canvas = page.locator('.steps canvas').nth(2);
  const box = (await canvas.boundingBox())!;
  await canvas.click({ position: { x: (box.width * 3.5) / w, y: (box.height * 1.5) / h } });
  expect(await view(page, 'token')).toBe(2 * h * w + w + 3);
  expect(await page.locator('.steps .here').count()).toBe(1);
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowUp');
  expect(await view(page, 'token')).toBe(2 * h * w + 3);
});

test('finds measured tokens and shows their gradients on the frames', async () => {
  const { page } = await open('measured');
  await control(page, 'show').selectOption('gradient');
  await control(page, 'next').click();
  const at = Number(await control(page, 'level').inputValue());
  const token = await view(page, 'token');
  const found = sensitivities.find((s) => s.level === at && s.token === token)!;
  expect(await view(page, 'lit')).toBe(Buffer.from(found.map, 'base64').filter((v) => v > 0).length);
  expect(await control(page, 'reading').textContent()).toMatch(
    /how strongly pixels of motion clip 0 .* move this token/,
  );
  await control(page, 'grid').focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowUp');
  expect(await control(page, 'reading').textContent()).toContain('no gradient was measured here');
});

test('charts are readable by keyboard, and ops can be sorted', async () => {
  const { page } = await open('charts');
  await page.locator('#chart-memory').focus();
  await page.keyboard.press('Home');
  expect(await page.locator('#live').textContent()).toMatch(/^conv_norm_forward of patch_embed1\.proj1: [\d.]+ MiB$/);
  await page.locator('#chart-blocks').focus();
  await page.keyboard.press('End');
  expect(await page.locator('#live').textContent()).toMatch(/of its limit$/);
  await page.locator('summary', { hasText: 'All' }).press('Enter');
  const column = () =>
    page
      .locator('details[open] tbody td:nth-child(4)')
      .evaluateAll((all) => all.map((td) => Number((td as HTMLElement).dataset['value'])));
  await page.locator('details[open] [data-sort="number"]', { hasText: 'Time' }).click();
  expect(await column()).toEqual([...(await column())].sort((a, b) => a - b));
  expect(await column()).toHaveLength(study.cost!.ops.length);
});

test.each([360, 768])('a page of %d pixels has no sideways scrolling', async (width) => {
  const { page, complaints } = await open(`w${width}`, { width });
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(needed).toBeLessThanOrEqual(there as number);
  await shoot(page, `study_${width}`);
  expect(complaints).toEqual([]);
});

test('without clips the grid is plain; hostile names remain text', async () => {
  const evil = `</script><img src="file:///evil" onerror="window.hacked=1">`;
  const hostile: Study = {
    ...study,
    model: { ...study.model, name: evil, checkpoint: evil },
    mixing: { ...study.mixing!, clip: evil },
  };
  const { page, complaints, requests } = await open('evil', {}, [hostile, []]);
  await control(page, 'show').selectOption('gradient');
  await control(page, 'next').click();
  expect(await control(page, 'reading').textContent()).toContain(evil);
  expect(await page.evaluate(() => (window as unknown as { hacked?: unknown }).hacked)).toBeUndefined();
  expect(await page.locator('main script, [onerror]').count()).toBe(0);
  expect(await page.locator('h1').textContent()).toBe(evil);
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});
