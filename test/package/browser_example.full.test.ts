/// <reference lib="dom" />
/** The example page: an exported model in Chromium gives the scores of predict. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { inputSpec } from '../../src/data/input_spec';
import { writeVideo } from '../../src/data/video/encode';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { saveWeights } from '../../src/train/state';
import { launchChromium, shoot } from '../support/chromium';
import { contrast } from '../support/contrast';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
const NAMES = ['ants & bees', '<b>crows</b>', 'deer'];
const SIDE = 64;

let browser: Browser;
let server: ChildProcess;
let address = '';

/** Large weights of the head, so that the classes differ. */
function saveModel(name: string, frames: number): void {
  seedInit(3);
  const kind = frames === 1 ? 'image' : 'video';
  const model = new MorphMLP({ ...VARIANTS['quickstart']!.config, kind, frames, numClasses: NAMES.length });
  const head = model.namedTensors().find(([key]) => key === 'head.weight')![1];
  head.copyFrom(head.floats().map((w) => 5 * w));
  const normalisation = { mean: [0.1, 0.5, 0.3], std: [0.9, 0.3, 0.15] };
  const input = inputSpec({ frames, rate: 1, crop: SIDE, normalisation });
  saveWeights(at(`${name}.safetensors`), model, { model: model.config, classNames: NAMES, input });
  model.dispose();
  expect(runCli(['export', at(`${name}.safetensors`), at(`${name}.onnx`)])).toMatchObject({ status: 0 });
}

beforeAll(async () => {
  saveModel('image', 1);
  saveModel('video', 16);
  const clips = new MotionDataset({ seed: 1, length: 8, size: SIDE });
  const clip = clips.render(3);
  await writeVideo(clip, at('clip.mp4'));
  const raw = { width: SIDE, height: SIDE, channels: 3 } as const;
  await sharp(clip.pixels.subarray(0, SIDE * SIDE * 3), { raw }).toFile(at('picture.png'));
  writeFileSync(at('broken.png'), 'no picture');
  writeFileSync(at('other.onnx'), 'no model');
  const script = path.join(__dirname, '..', '..', 'examples', 'browser', 'serve.mjs');
  server = spawn(process.execPath, [script, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  address = await new Promise((resolve) =>
    server.stdout!.once('data', (text) => resolve(/http:\S+/.exec(String(text))![0])),
  );
  browser = await launchChromium();
});
afterAll(async () => {
  server?.kill();
  await browser?.close();
  rmSync(folder, { recursive: true });
});

async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage(options);
  const complaints: string[] = [];
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('request', (r) => void (!/^(http:\/\/127\.0\.0\.1|blob:|data:)/.test(r.url()) && complaints.push(r.url())));
  await page.goto(address);
  return { page, complaints };
}

async function give(page: Page, file: string): Promise<string> {
  await page.setInputFiles('#file', at(file));
  await page.waitForSelector(`html[data-done="${file}"]`, { state: 'attached', timeout: 120_000 });
  return (await page.locator('#status').textContent())!;
}

async function scores(page: Page): Promise<Record<string, number>> {
  const names = await page.locator('#scores dt').allTextContents();
  const values = await page
    .locator('#scores dd')
    .evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset['probability'])));
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

function predicted(model: string, file: string): Record<string, number> {
  const { out } = runCli(['predict', at(file), '--checkpoint', at(`${model}.safetensors`), '--json']);
  const { guesses } = JSON.parse(out) as { guesses: { label: string; probability: number }[] };
  return Object.fromEntries(guesses.map(({ label, probability }) => [label, probability]));
}

function expectClose(found: Record<string, number>, expected: Record<string, number>, within: number): void {
  expect(Object.keys(found).sort()).toEqual([...NAMES].sort());
  for (const name of NAMES) expect(Math.abs(found[name]! - expected[name]!)).toBeLessThan(within);
  const values = Object.values(expected);
  expect(Math.max(...values)).toBeLessThan(0.95); // not saturated: other scores would be seen
  expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(0.05);
}

test('a picture of the size of the input has the scores of predict', async () => {
  const { page, complaints } = await open();
  await give(page, 'image.onnx');
  expect(await page.locator('#model').textContent()).toBe('image.onnx: 64 × 64, 3 classes');
  expect(await give(page, 'picture.png')).toMatch(/^picture\.png: \d+ ms in the network$/);
  expectClose(await scores(page), predicted('image', 'picture.png'), 1e-4);
  expect(complaints).toEqual([]);
});

test.each(['light', 'dark'] as const)(
  'a video is near the scores of predict, and readable in %s',
  async (colorScheme) => {
    const { page, complaints } = await open({ colorScheme });
    await give(page, 'video.onnx');
    expect(await page.locator('#model').textContent()).toBe('video.onnx: 16 frames of 64 × 64, 3 classes');
    await give(page, 'clip.mp4');
    expectClose(await scores(page), predicted('video', 'clip.mp4'), 0.05);
    for (const selector of ['#model', '#status', '.drop', '.drop b', 'dt', 'dd'])
      expect({ selector, enough: (await contrast(page, selector)) >= 4.5 }).toEqual({ selector, enough: true });
    await shoot(page, `browser_example_${colorScheme}`);
    expect(complaints).toEqual([]);
  },
);

test('at 360 pixels nothing scrolls sideways, and class names are text', async () => {
  const { page } = await open({ viewport: { width: 360, height: 700 } });
  await give(page, 'video.onnx');
  await give(page, 'picture.png');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  expect(await page.locator('dt b').count()).toBe(0);
  await shoot(page, 'browser_example_360');
});

test('what is missing or cannot be read is said', async () => {
  const { page } = await open();
  expect(await give(page, 'picture.png')).toBe('a model is needed first: drop an .onnx file');
  expect(await give(page, 'other.onnx')).toMatch(/not an ONNX file|found no input specification/);
  await give(page, 'image.onnx');
  expect(await give(page, 'broken.png')).toBe('broken.png: the browser cannot read this file');
});
