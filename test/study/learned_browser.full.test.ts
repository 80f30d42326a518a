/// <reference lib="dom" />
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { percent } from '../../src/terminal/format';
import type { Clip } from '../../src/data/types';
import { renderStudy } from '../../src/report/study/page';
import type { LearnedStudy, MatrixNorms } from '../../src/study/learned_types';
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

const picker = (page: Page, name: string) => page.locator(`[data-matrices="${name}"]`);
/** Chooses a matrix by the lists of stage, block and branch. */
async function choose(page: Page, { stage, block, part }: MatrixNorms) {
  await picker(page, 'stage').selectOption(String(stage));
  await picker(page, 'block').selectOption(block);
  await picker(page, 'branch').selectOption(part);
}
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
    const { saliency } = learned.pictures!;
    const drawn = await sizes(page, '.saliency img');
    expect(drawn).toHaveLength(3 * saliency.length);
    // the first stage of the model has one block with four FCs; the first of them is shown large, as norms and as weights
    const multiples = await sizes(page, '#matrices-view img');
    expect(multiples).toHaveLength(4 + 2);
    expect(multiples.every(([w, h]) => w! > 0 && h! > 0)).toBe(true);
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
  const label = () => page.evaluate(() => document.activeElement!.getAttribute('aria-label'));
  await page.keyboard.press('Tab'); // scrolling regions take the focus, so that keys scroll them
  expect(await label()).toBe('Branch weights over the channels');
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('All parts, with intervals');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await label()).toBe('Parts switched off');
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('Size of the activations, and what each part adds to them');
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('3 more clips');
  for (const name of ['stage', 'block', 'branch', 'multiples']) {
    do await page.keyboard.press('Tab');
    while (await page.evaluate(() => document.activeElement!.className === 'term'));
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['matrices'])).toBe(name);
  }
  const own = learned.matrices.filter(({ stage }) => stage === 1);
  for (const { name } of own) {
    expect(await picker(page, 'reading').textContent()).toContain(`${name}.`);
    expect(await page.locator('.thumb[aria-pressed="true"]').getAttribute('aria-label')).toBe(name);
    await page.keyboard.press('ArrowRight');
  }
  expect(await picker(page, 'branch').inputValue()).toBe(own.at(-1)!.part); // the edge stops it
  expect(complaints).toEqual([]);
});

test('a chosen matrix is drawn: a pixel for each pair of positions, as strong as its weights', async () => {
  const { page } = await open('matrix');
  const norms = learned.matrices.find(({ name }) => name === 'blocks3.0.t_fc.mlp_t')!;
  await choose(page, norms);
  const { positions, channels, size } = norms;
  const images = '[data-matrices="chosen"] img';
  expect(await sizes(page, images)).toEqual([
    [positions, positions],
    [size, size],
  ]);
  expect(positions * channels).toBe(size);
  const [most, drawn] = [Math.max(...norms.norms), await strengths(page, norms.name)];
  norms.norms.forEach((norm, i) => expect(Math.abs(drawn[i]! / 255 - norm / most)).toBeLessThan(0.04));
  expect(await picker(page, 'reading').textContent()).toContain(percent(norms.shares.own));
  const shown = (await page.locator(images).first().boundingBox())!;
  expect([Math.round(shown.width), Math.round(shown.height)]).toEqual([278, 278]); // 280 with its frame
  expect(await page.locator('.thumb').count()).toBe(2 * 4); // two blocks of stage 3, four FCs each
  await page.locator('.thumb[aria-label="blocks3.1.fc.mlp_w"]').click();
  expect(await picker(page, 'reading').textContent()).toMatch(/^blocks3\.1\.fc\.mlp_w\. /);
  await choose(
    page,
    learned.matrices.find(({ name }) => name === 'blocks1.0.t_fc.mlp_t')!,
  );
  expect(await picker(page, 'reading').textContent()).toContain('All weights are 0.');
});

test('two checkpoints stand side by side, each with its own figures', async () => {
  const halved = learned.matrices.map((one) => ({ ...one, shares: { own: 0.5, before: 0.25, after: 0.25 } }));
  const ablation = { ...learned.ablation!, correct: 0, off: learned.ablation!.off.map((o) => ({ ...o, correct: 0 })) };
  const other = { ...learned, matrices: halved, ablation };
  const against = { checkpoint: 'other.safetensors', learned: other };
  const { page, complaints } = await open('two', { width: 1440 }, { ...sample.study, against });
  expect(await page.locator('#learned h3', { hasText: 'other.safetensors' }).count()).toBe(3); // cards, weights, ablation
  expect(await page.locator('.weight-bars').count()).toBe(2);
  const leads = await page.locator('#learned .lead').allTextContents();
  expect(leads.some((lead) => lead.includes('0.0% of 4 clips are right; no part costs accuracy'))).toBe(true);
  await choose(
    page,
    learned.matrices.find(({ name }) => name === 'blocks2.0.fc.mlp_h')!,
  );
  const said = (await picker(page, 'reading').textContent())!;
  const { shares } = learned.matrices.find(({ name }) => name === 'blocks2.0.fc.mlp_h')!;
  expect(said).toContain(`run.safetensors: 16 × 16 blocks of 4 × 4. Of the squares, ${percent(shares.own)}`);
  expect(said).toContain('other.safetensors: 16 × 16 blocks of 4 × 4. Of the squares, 50.0%');
  const boxes = await page.locator('.checkpoint').evaluateAll((all) => all.map((n) => n.getBoundingClientRect().top));
  expect(boxes).toHaveLength(2);
  expect(boxes[0]).toBe(boxes[1]);
  expect(complaints).toEqual([]);
});

test('random weights show nothing but a sentence', async () => {
  const untrained: Study = { ...sample.study, model: { ...sample.study.model, checkpoint: null } };
  const { page } = await open('random', {}, untrained);
  const shown = (await page.locator('#learned').innerText()).replace(/\s+/g, ' ');
  expect(shown).toMatch(/^What was learned The weights are random: nothing has been learned yet\. .*\.$/);
  expect(await page.locator('#learned :is(img, table, dl, select)').count()).toBe(0);
});

test('the tables of ablations and saliency show the study’s results', async () => {
  const { page } = await open('figures');
  const { ablation, saliency, pictures } = learned;
  await openAll(page);
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
