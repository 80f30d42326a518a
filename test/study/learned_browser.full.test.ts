/// <reference lib="dom" />
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { percent } from '../../src/terminal/format';
import type { Clip } from '../../src/data/types';
import { renderStudy } from '../../src/report/study/page';
import type { LearnedStudy } from '../../src/study/learned_types';
import type { Study } from '../../src/study/types';
import { launchChromium, openFile, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { sampleLearned } from './sample';

let folder = '';
let browser: Browser;
let sample: { study: Study; clips: readonly Clip[] };
let learned: LearnedStudy;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'learned-'));
  [browser, sample] = [await launchChromium(), await sampleLearned()];
  learned = sample.study.learned!;
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

async function open(name: string, options: Parameters<typeof openFile>[2] = {}, study: Study = sample.study) {
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, await renderStudy(study, sample.clips));
  return openFile(browser, file, options);
}

const panel = (page: Page, name: string) => page.locator('.matrix-panel', { hasText: name });
const summary = (page: Page, name: string) => page.locator('#learned summary', { hasText: name });
const focused = (page: Page) => page.evaluate(() => document.activeElement!.textContent!.trim());
const sizes = (page: Page, selector: string) =>
  page
    .locator(selector)
    .evaluateAll((all) => (all as HTMLImageElement[]).map((i) => [i.naturalWidth, i.naturalHeight]));
const openAll = (page: Page) =>
  page.locator('#learned details').evaluateAll((all) => (all as HTMLDetailsElement[]).forEach((d) => (d.open = true)));

/** The drawn picture of a matrix: the opacity of each pixel, from 0 to 255. */
const strengths = (page: Page, name: string) =>
  page
    .locator(`img[alt$=" of ${name}"]`)
    .first()
    .evaluate((node) => {
      const image = node as HTMLImageElement;
      const canvas = Object.assign(document.createElement('canvas'), {
        width: image.naturalWidth,
        height: image.naturalHeight,
      });
      const context = canvas.getContext('2d')!;
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 3);
    });

const TEXTS = ['.weights span', '.weight-bars .block', '.legend span', '.note', '#learned td', '#learned th'];
const MORE = ['#learned figcaption', '#learned h3', '#learned summary', '#learned .card dt', '#learned .card small'];

test.each(['light', 'dark'] as const)(
  'in %s it can be read, shows all pictures and asks for nothing',
  async (scheme) => {
    const { page, complaints, requests } = await open(scheme, { colorScheme: scheme });
    await openAll(page);
    expect(await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)).toBe(scheme === 'dark');
    for (const selector of [...TEXTS, ...MORE])
      expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
    const { matrices, norms, saliency } = learned.pictures!;
    const drawn = await sizes(page, '#learned img');
    expect(drawn).toHaveLength(matrices.length + norms.length + 3 * saliency.length);
    expect(drawn.every(([w, h]) => w! > 0 && h! > 0)).toBe(true);
    await shoot(page, `learned_${scheme}`);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
  },
);

test('the bars have the lengths of the weights and accessible texts', async () => {
  const { page } = await open('bars');
  expect(await page.locator('.weight-bars li').count()).toBe(learned.weights!.length);
  for (const [i, { block, branches }] of learned.weights!.entries()) {
    const bar = page.locator('.weight-bars li').nth(i).getByRole('img');
    const weights = branches.map(({ branch, channels }) => `${branch} ${percent(channels.mean, 0)}`).join(', ');
    expect(await bar.getAttribute('aria-label')).toBe(`${block}: ${weights}`);
    const shares = await bar.evaluate((node) => {
      const whole = node.getBoundingClientRect().width;
      return [...node.children].map((part) => part.getBoundingClientRect().width / whole);
    });
    branches.forEach(({ channels }, b) => expect(Math.abs(shares[b]! - channels.mean)).toBeLessThan(0.01));
  }
});

test('everything is reachable and opens by keyboard', async () => {
  const { page, complaints } = await open('keys');
  await page.locator('nav a', { hasText: 'What was learned' }).focus();
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => location.hash)).toBe('#learned');
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('Branch weights over the channels');
  const weights = page.locator('#learned details', { hasText: 'Branch weights over the channels' });
  expect(await weights.locator('tbody tr').first().isVisible()).toBe(false);
  await page.keyboard.press('Enter');
  const branches = learned.weights!.reduce((sum, block) => sum + block.branches.length, 0);
  expect(await weights.locator('tbody tr').count()).toBe(branches);
  expect(await weights.locator('tbody tr').first().isVisible()).toBe(true);
  for (const label of ['Branch weights over the channels', 'Parts switched off']) {
    await page.keyboard.press('Tab'); // scrolling regions take the focus, so that keys scroll them
    expect(await page.evaluate(() => document.activeElement!.getAttribute('aria-label'))).toBe(label);
  }
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('Size of the activations, and what each part adds to them');
  for (const { name } of learned.matrices) {
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe(name);
  }
  await page.keyboard.press('Space');
  const last = learned.matrices.at(-1)!.name;
  expect(await panel(page, last).locator('img').first().isVisible()).toBe(true);
  await page.keyboard.press('Space');
  expect(await panel(page, last).locator('img').first().isVisible()).toBe(false);
  expect(complaints).toEqual([]);
});

test('a click opens a matrix: a pixel for each pair of positions, as strong as its weights', async () => {
  const { page } = await open('matrix');
  const norms = learned.matrices.find(({ name }) => name === 'blocks3.0.t_fc.mlp_t')!;
  await summary(page, norms.name).click();
  const { positions, channels, size } = norms;
  const images = `.matrix-panel[open] img`;
  expect(await sizes(page, images)).toEqual([
    [positions, positions],
    [size, size],
  ]);
  expect(positions * channels).toBe(size);
  const [most, drawn] = [Math.max(...norms.norms), await strengths(page, norms.name)];
  norms.norms.forEach((norm, i) => expect(Math.abs(drawn[i]! / 255 - norm / most)).toBeLessThan(0.04));
  expect(await panel(page, norms.name).locator('.note').textContent()).toContain(percent(norms.shares.own));
  const shown = (await page.locator(images).first().boundingBox())!;
  expect([Math.round(shown.width), Math.round(shown.height)]).toEqual([278, 278]); // 280 with its frame
  await summary(page, 'blocks1.0.t_fc.mlp_t').click();
  expect(await panel(page, 'blocks1.0.t_fc.mlp_t').locator('.note').textContent()).toContain('All weights are 0.');
});

test('the tables of ablations and saliency show the study’s results', async () => {
  const { page } = await open('figures');
  const { ablation, saliency, pictures } = learned;
  const cells = await page.getByRole('region', { name: 'Parts switched off' }).locator('tbody tr').allInnerTexts();
  expect(cells).toHaveLength(ablation!.off.length);
  ablation!.off.forEach((one, i) => {
    const name = `${one.part}, ${one.stage === null ? 'all stages' : `stage ${one.stage}`}`;
    const [part, right, , , changed] = cells[i]!.split('\t');
    expect([part, right, changed]).toEqual([name, percent(one.correct! / ablation!.clips), `${one.changed} of 4`]);
  });
  const panels = page.locator('.saliency');
  expect(await panels.count()).toBe(saliency!.clips.length);
  for (const [i, clip] of saliency!.clips.entries()) {
    expect(await panels.nth(i).locator('h3').textContent()).toContain(`${clip.path}: class ${clip.predicted}`);
    const { width, height } = pictures!.saliency[i]!;
    expect(
      await panels
        .nth(i)
        .locator('img')
        .evaluateAll((all) =>
          all.map((n) => [(n as HTMLImageElement).naturalWidth, (n as HTMLImageElement).naturalHeight]),
        ),
    ).toEqual(Array(3).fill([width, height]));
  }
});

test.each([360, 768])('a page of %d pixels has no sideways scrolling', async (width) => {
  const { page, complaints } = await open(`w${width}`, { width });
  await openAll(page);
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(needed).toBeLessThanOrEqual(there as number);
  await shoot(page, `learned_${width}`);
  expect(complaints).toEqual([]);
});

test('names of classes and files remain text', async () => {
  const evil = `</script><img src="file:///evil" onerror="window.hacked=1">`;
  const { model } = sample.study;
  const clips = learned.saliency!.clips.map((clip) => ({ ...clip, path: evil }));
  const hostile: Study = {
    ...sample.study,
    model: { ...model, classNames: model.classNames.map(() => evil) },
    learned: { ...learned, saliency: { ...learned.saliency!, clips } },
  };
  const { page, complaints, requests } = await open('evil', {}, hostile);
  expect(await page.evaluate(() => (window as unknown as { hacked?: unknown }).hacked)).toBeUndefined();
  expect(await page.locator('img:not([src^="data:"]), main script, [onerror]').count()).toBe(0);
  expect(await page.locator('.saliency h3').first().textContent()).toContain(`${evil}: ${evil}`);
  expect(await page.locator('.saliency img').first().getAttribute('alt')).toContain(evil);
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});
