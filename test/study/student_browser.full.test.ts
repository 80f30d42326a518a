/// <reference lib="dom" />
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { PAPER } from '../../src/bench/paper/tables';
import { VARIANTS } from '../../src/models/config';
import { countOps } from '../../src/models/flops';
import { renderStudy } from '../../src/report/study/page';
import { partnersOf } from '../../src/study/receptive_field';
import { changedConfig, unchanged } from '../../src/study/what_if';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { sampleStudy } from './sample';

let folder = '';
let file = '';
let browser: Browser;
const { study, clips } = sampleStudy();
const { config, crop } = study.model;
const { levels } = study.mixing!;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'student-'));
  file = path.join(folder, 'study.html');
  writeFileSync(file, await renderStudy(study, clips));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

const open = (options: Parameters<typeof openFile>[2] = {}) => openFile(browser, file, options);
const step = (page: Page, name: string) => page.locator(`[data-steps="${name}"]`);
const what = (page: Page, name: string) => page.locator(`[data-what="${name}"]`);
const text = async (page: Page, selector: string) => (await page.locator(selector).first().textContent())!;
const members = async (page: Page) => {
  const shown = await page.locator('#steps-view').evaluate((node) => (node as HTMLElement).dataset['members']!);
  return shown.split(' ').map(Number);
};
const figure = (page: Page, key: string) =>
  page.locator(`[data-out="${key}"]`).evaluate((node) => Number((node as HTMLElement).dataset['value']));
const setSlider = (page: Page, name: string, value: number | string) =>
  what(page, name).evaluate((node, v) => {
    (node as HTMLInputElement).value = String(v);
    node.dispatchEvent(new Event('input'));
  }, value);
const focused = (page: Page) =>
  page.evaluate(() => {
    const { dataset, textContent, tagName } = document.activeElement as HTMLElement;
    return dataset['steps'] ?? dataset['what'] ?? dataset['step'] ?? `${tagName} ${textContent!.trim().slice(0, 30)}`;
  });

/** Partners of a token in its frame, by the library's index maps. */
function partners(stage: number, token: number, way: string): number[] {
  const level = levels.find((one) => one.stage === stage && one.block)!;
  const [, h, w] = level.size;
  return Array.from(partnersOf(level, token, way).subarray(0, h * w)).flatMap((lit, n) => (lit ? [n] : []));
}

describe('five questions of a student are answered by the page', () => {
  test('which tokens does token 17 of stage 2 mix with in one block?', async () => {
    const { page } = await open();
    await step(page, 'stage').selectOption('2');
    await step(page, 'token').fill('17');
    for (const way of ['width', 'height']) {
      await step(page, 'way').selectOption(way);
      expect((await members(page)).sort((a, b) => a - b)).toEqual(partners(2, 17, way));
    }
    const said = await text(page, '[data-steps="answer"]');
    expect(said).toContain(`along width with ${partners(2, 17, 'width').join(', ')}`);
    expect(said).toContain(`In one block, token 17 of stage 2 mixes along height with 0, `);
    expect(said).toContain(`at all ${levels[1]!.size[0]} time steps`);
  });

  test('what shape do the tokens of stage 3 have, and how many parameters does one of its FCs?', async () => {
    const { page } = await open();
    const level = levels.find((one) => one.stage === 3)!;
    const item = page.locator('.network li', { hasText: 'stage 3' });
    expect(await item.locator('.shape').textContent()).toBe(`[B, ${[...level.size, config.embedDims[2]].join(', ')}]`);
    await item.locator('summary').first().click();
    const fc = countOps(config, { height: crop, width: crop }).ops.find(({ name }) => name === 'blocks3.0.fc.mlp_h')!;
    const row = await item.locator('tr', { hasText: 'fc.mlp_h' }).innerText();
    expect(row).toContain(`${fc.rows} × ${fc.in} → ${fc.out}`);
    expect(row).toContain(`${(fc.params / 1000).toFixed(2)}K`);
    expect(row).toContain('morphFc(x, mlp_h.weight');
  });

  test('what does it cost to double the frames?', async () => {
    const { page } = await open();
    const before = countOps(config, { height: crop, width: crop });
    expect([await figure(page, 'macs'), await figure(page, 'params')]).toEqual([before.macs, before.params]);
    await setSlider(page, 'frames', 2 * config.frames);
    const after = countOps({ ...config, frames: 2 * config.frames }, { height: crop, width: crop });
    expect([await figure(page, 'macs'), await figure(page, 'params')]).toEqual([after.macs, after.params]);
    expect(await text(page, '[data-note="macs"]')).toContain(`${+(after.macs / before.macs).toPrecision(3)}× of`);
  });

  test('how much more would 7 × 7 convolutions cost than MorphFC in image T?', async () => {
    const { page } = await open();
    const cells = await page.getByRole('region', { name: 'Spatial operations' }).locator('tr', { hasText: 'image-t' });
    const [name, morph, , wide] = (await cells.innerText()).split('\t');
    const count = (spatial?: 'conv_7x7') =>
      countOps({ ...VARIANTS['image-t']!.config, ...(spatial ? { ablation: { spatial } } : {}) });
    expect(name).toBe('image-t');
    expect(morph).toBe(`${(count().params / 1e6).toFixed(1)}M · ${+(count().macs / 1e9).toPrecision(3)}`);
    expect(wide).toBe(
      `${(count('conv_7x7').params / 1e6).toFixed(1)}M · ${+(count('conv_7x7').macs / 1e9).toPrecision(3)}`,
    );
  });

  test('how accurate is the paper’s video B of 32 frames on Kinetics-400, and is ours measured?', async () => {
    const { page } = await open();
    await page.locator('summary', { hasText: 'Points as a table' }).click();
    const row = page.locator('tr', { hasText: 'Kinetics-400, video-b 32x1x4' });
    const entry = PAPER.find(({ table, network }) => table === 3 && network === 'video-b-32')!;
    const cells = (await row.innerText()).split('\t');
    expect([cells[1], cells[3], cells[4]]).toEqual([`${entry.paper.gmacs}`, `${entry.top1}%`, 'not measured']);
  });
});

test('the steps are driven by keyboard alone', async () => {
  const { page, complaints } = await open();
  await step(page, 'stage').focus();
  for (const name of ['way', 'token', 'group', 'back', 'next', 'play', '0', '1', '2', '3', '4', 'view']) {
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe(name);
  }
  const said = [await text(page, '[data-steps="reading"]')];
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press('ArrowRight');
    said.push(await text(page, '[data-steps="reading"]'));
  }
  const [, h, w] = levels[1]!.size;
  const [c, chunk] = [config.embedDims[0], config.segmentDim[0]];
  expect(said[0]).toContain(`n = h·W + w = 1·${w} + 1 = 17`);
  expect(said[1]).toContain(
    `Chunk ${Math.floor(17 / chunk)} of ${(h * w) / chunk} (L = ${chunk}), place l = ${17 % chunk}`,
  );
  expect(said[2]).toContain(`S = ${c} / ${chunk} = ${c / chunk}`);
  expect(said[3]).toContain(`${c} × ${c} weights and ${c} biases`);
  const fc = countOps(config, { height: crop, width: crop }).ops.find(({ name }) => name === 'blocks1.0.fc.mlp_w')!;
  expect(said[3]).toContain(`${fc.macs.toLocaleString('en')} multiply-adds`);
  expect(said[4]).toContain(`token 17 gets v′[${(17 % chunk) * (c / chunk)}]`);
  await page.keyboard.press('ArrowUp');
  expect(await step(page, 'token').inputValue()).toBe('18');
  await page.keyboard.press('Home');
  await page.keyboard.press('Space');
  expect(await step(page, 'play').getAttribute('aria-pressed')).toBe('true');
  await page.keyboard.press('Space');
  expect(await step(page, 'play').getAttribute('aria-pressed')).toBe('false');
  expect(complaints).toEqual([]);
});

test('every stage and way shows the members that the index maps give', async () => {
  const { page, complaints } = await open();
  for (const stage of [1, 2, 3, 4]) {
    await step(page, 'stage').selectOption(String(stage));
    const level = levels.find((one) => one.stage === stage && one.block)!;
    const token = Math.floor(0.7 * level.size[1] * level.size[2]);
    await step(page, 'token').fill(String(token));
    for (const way of Object.keys(level.block!.branches)) {
      await step(page, 'way').selectOption(way);
      expect((await members(page)).sort((a, b) => a - b)).toEqual(partners(stage, token, way));
      expect(await page.locator('.formulas:not([hidden]) math').first().isVisible()).toBe(true);
    }
    await step(page, 'way').selectOption('time');
    expect(await members(page)).toEqual(Array.from({ length: level.size[0] }, (_, t) => t));
    await step(page, 'way').selectOption('channel');
    expect(await members(page)).toEqual([token]);
  }
  await step(page, 'token').fill('99999');
  expect(await page.locator('#steps-view').getAttribute('data-members')).toBe('3'); // the last of a 2 × 2 grid
  expect(complaints).toEqual([]);
});

test('a reader who wants no motion gets none', async () => {
  const page = await browser.newPage({ reducedMotion: 'reduce' });
  await page.goto(`file://${file}`);
  expect(await step(page, 'play').isVisible()).toBe(false);
  const moves = () =>
    page
      .locator('.member')
      .first()
      .evaluate((node) => getComputedStyle(node).transitionDuration);
  expect(await moves()).toBe('0s');
  await step(page, 'view').press('Space');
  expect(await step(page, 'play').getAttribute('aria-pressed')).toBe('false');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  expect(await moves()).not.toBe('0s');
});

test('sliders move by keys, show what countOps counts, and refuse in a sentence', async () => {
  const { page, complaints } = await open();
  const counted = (change: Partial<ReturnType<typeof unchanged>>) => {
    const wanted = { ...unchanged(config, crop), ...change };
    return countOps(changedConfig(config, wanted), { height: wanted.size, width: wanted.size });
  };
  await what(page, 'width').focus();
  await page.keyboard.press('ArrowRight');
  expect(await figure(page, 'params')).toBe(counted({ width: 1.25 }).params);
  await what(page, 'size').focus();
  await page.keyboard.press('ArrowRight');
  expect(await figure(page, 'macs')).toBe(counted({ width: 1.25, size: crop + 32 }).macs);
  await what(page, 'reset').press('Enter');
  expect(await text(page, '[data-note="macs"]')).toBe('as it is');
  for (const branches of ['H+W', 'H+W+C'] as const) {
    await what(page, 'branches').selectOption(branches);
    expect(await figure(page, 'macs')).toBe(counted({ branches }).macs);
  }
  await what(page, 'spatial').selectOption('conv_3x3');
  expect(await what(page, 'groups').isDisabled()).toBe(true);
  expect(await figure(page, 'macs')).toBe(counted({ spatial: 'conv_3x3' }).macs);
  await what(page, 'base').selectOption('video-s');
  expect(await figure(page, 'macs')).toBe(countOps(VARIANTS['video-s']!.config).macs);
  await setSlider(page, 'chunk1', 0); // one token a chunk
  await setSlider(page, 'groups', 2);
  expect(await what(page, 'refused').textContent()).toContain('2C/L needs an even chunk length, got 1');
  await what(page, 'reset').click();
  expect(await what(page, 'refused').isVisible()).toBe(false);
  expect(complaints).toEqual([]);
});

test('words show their meaning on focus, and lines of code lead to the code', async () => {
  const { page } = await open();
  const word = page.locator('.term', { hasText: /^chunk$/ }).first();
  await word.focus();
  const meaning = await word.evaluate((node) => [
    getComputedStyle(node, '::after').content,
    node.getAttribute('aria-describedby'),
  ]);
  expect(meaning[0]).toContain('L tokens that follow each other');
  expect(await page.locator(`#${meaning[1]}`).textContent()).toContain('L tokens that follow each other');
  await page.locator('#net-stage-1 summary').press('Enter');
  await page.locator('#net-stage-1 a', { hasText: 'mlp_t' }).first().press('Enter');
  expect(await page.locator('pre#code-temporal').isVisible()).toBe(true);
});

const TEXTS = [
  '.lead',
  '.shape',
  '.network p',
  '.step-names button',
  '.reading',
  '.slider span',
  '.slider output',
  '.hint',
];

test.each([
  ['light', 1440],
  ['dark', 1440],
  ['light', 360],
  ['dark', 360],
] as const)('in %s at %d pixels it can be read, and needs no sideways scrolling', async (colorScheme, width) => {
  const { page, complaints, requests } = await open({ colorScheme, width });
  await page.locator('details').evaluateAll((all) => (all as HTMLDetailsElement[]).forEach((d) => (d.open = true)));
  for (const i of [0, 2, 3, 4]) {
    await page.locator(`[data-step="${i}"]`).click();
    const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(needed).toBeLessThanOrEqual(there as number);
  }
  for (const selector of TEXTS)
    expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
  expect(await page.locator('#chart-accuracy-cost svg path').count()).toBeGreaterThan(5);
  await shoot(page, `student_${colorScheme}_${width}`);
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});
