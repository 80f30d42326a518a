/** `morphmlp evaluate`: its measures, csv and page against predictions file by file. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { inputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { saveWeights } from '../../src/train/state';
import { readCsvText } from '../support/read_csv';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** The last class has no pictures. */
const NAMES = ['red, dark', 'green "x"', 'blue', 'empty'];
const COLOURS = ['#a00000', '#00a000', '#0000a0'];

interface Predicted {
  file: string;
  label: string;
  predicted: string;
  scores: { label: string; probability: number }[];
}

interface Evaluated {
  checkpoint: string;
  videos: number;
  top1: number;
  confusion: number[][];
  classes: { name: string; videos: number; predicted: number; top1: number | null }[];
  macro: { classes: number; f1: number };
  predictions: Predicted[];
  skipped: { name: string }[];
}

function saveModel(file: string, classNames: string[]): void {
  seedInit(5);
  const model = new MorphMLP({
    ...VARIANTS['quickstart']!.config,
    kind: 'image',
    frames: 1,
    numClasses: classNames.length,
  });
  const input = inputSpec({ frames: 1, rate: 1, crop: 32, normalisation: NORMALISATION });
  saveWeights(file, model, { model: model.config, classNames, input });
  model.dispose();
}

beforeAll(async () => {
  mkdirSync(at('run'));
  saveModel(at('run/best.safetensors'), NAMES);
  const lines: string[] = [];
  for (let i = 0; i < 9; i++) {
    const noise = { type: 'gaussian', mean: 100, sigma: 10 + 8 * i } as const;
    const create = { width: 40, height: 36, channels: 3, background: COLOURS[i % 3]!, noise } as const;
    await sharp({ create })
      .png()
      .toFile(at(`${i}.png`));
    lines.push(`${i}.png,"${NAMES[i % 3]!.replaceAll('"', '""')}"`);
  }
  writeFileSync(at('broken.png'), 'no picture');
  writeFileSync(at('list.csv'), [...lines, 'broken.png,blue'].join('\n'));
  writeFileSync(at('classes.txt'), NAMES.join('\n'));
});

describe('the folder of a run', () => {
  let found: Evaluated;
  beforeAll(() => {
    const args = ['evaluate', '--data', at('list.csv'), '--checkpoint', at('run'), '--json'];
    const { status, out, err } = runCli([...args, '--csv', at('p.csv'), '--html', at('e.html')]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    found = JSON.parse(out) as Evaluated;
  });

  test('means its best weights, and the output says so', () => {
    expect(found.checkpoint).toBe(at('run/best.safetensors'));
    const { out } = runCli(['evaluate', '--data', at('list.csv'), '--checkpoint', at('run')]);
    expect(out).toMatch(/^checkpoint {2}.*run\/best\.safetensors$/m);
    expect(out).toMatch(/^empty +no clips +\d+ +(–|0\.0%) +– +–$/m);
    expect(out).toMatch(/^mean +\d+\.\d% +\d+\.\d% +\d+\.\d%$/m);
    expect(out).not.toMatch(/NaN|null|undefined/);
  });

  test('the predictions are those of predict, file by file', () => {
    const files = found.predictions.map(({ file }) => file);
    expect(files).toEqual(Array.from({ length: 9 }, (_, i) => at(`${i}.png`)));
    const { out } = runCli(['predict', ...files, '--checkpoint', at('run'), '--json', '--top', '4']);
    out
      .trim()
      .split('\n')
      .forEach((line, i) => {
        const { guesses } = JSON.parse(line) as { guesses: Predicted['scores'] };
        expect(found.predictions[i]!.scores).toEqual(guesses);
        expect(found.predictions[i]!.predicted).toBe(guesses[0]!.label);
        expect(found.predictions[i]!.label).toBe(NAMES[i % 3]);
      });
    expect(found.skipped.map(({ name }) => name)).toEqual([at('broken.png')]);
  });

  test('confusion matrix and measures are those counted from the predictions', () => {
    const count = (truth: number, predicted: number) =>
      found.predictions.filter((p) => p.label === NAMES[truth] && p.predicted === NAMES[predicted]).length;
    expect(found.confusion).toEqual(NAMES.map((_, t) => NAMES.map((_x, p) => count(t, p))));
    expect(found.top1).toBeCloseTo(found.predictions.filter((p) => p.label === p.predicted).length / 9, 12);
    const f1 = [0, 1, 2].map((c) => {
      const predicted = found.predictions.filter((p) => p.predicted === NAMES[c]).length;
      return (2 * count(c, c)) / (3 + predicted);
    });
    expect(found.macro.classes).toBe(3);
    expect(found.macro.f1).toBeCloseTo((f1[0]! + f1[1]! + f1[2]!) / 3, 12);
    expect(found.classes[3]).toMatchObject({ name: 'empty', videos: 0, top1: null, recall: null, f1: null });
  });

  test('the csv has a line for each file with the score of each class', () => {
    const rows = readCsvText(readFileSync(at('p.csv'), 'utf8'));
    expect(rows).toHaveLength(9);
    expect(Object.keys(rows[0]!)).toEqual(['file', 'label', 'predicted', ...NAMES.map((name) => `score ${name}`)]);
    rows.forEach((row, i) => {
      const { file, label, predicted, scores } = found.predictions[i]!;
      expect(row).toMatchObject({ file, label, predicted });
      for (const { label: name, probability } of scores)
        expect(Math.abs(Number(row[`score ${name}`]) - probability)).toBeLessThan(1e-6);
    });
  });

  test('the page shows the measures, the class without clips, mistakes and the skipped file', () => {
    const text = readFileSync(at('e.html'), 'utf8')
      .replace(/<(script|style)\b.*?<\/\1>/gs, '')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ');
    expect(text).toContain('no clips');
    expect(text).toContain('1 class has no clips in this data and is in no mean.');
    expect(text).toContain('red, dark');
    expect(text).toContain('1 file was skipped');
    expect(text).toMatch(/wrong answers among 9 clips/);
    expect(text).not.toMatch(/NaN|undefined|null/);
  });
});

test('of more than twenty classes the csv lists the best five', () => {
  const names = Array.from({ length: 25 }, (_, i) => `c${String(i).padStart(2, '0')}`);
  mkdirSync(at('many'));
  saveModel(at('many.safetensors'), names);
  writeFileSync(at('many/classes.txt'), names.join('\n'));
  writeFileSync(at('many/list.csv'), '../0.png,c03\n../1.png,c24\n');
  const args = ['evaluate', '--data', at('many/list.csv'), '--checkpoint', at('many.safetensors')];
  const { out } = runCli([...args, '--csv', at('many.csv')]);
  expect(out).toMatch(/^the worst 20 of 25 classes by F1/m);
  expect(out).toMatch(/^most often confused +taken for +clips +of its class$/m);
  const rows = readCsvText(readFileSync(at('many.csv'), 'utf8'));
  expect(Object.keys(rows[0]!).slice(3)).toEqual([1, 2, 3, 4, 5].flatMap((n) => [`top ${n}`, `score ${n}`]));
  for (const row of rows) {
    expect(row['top 1']).toBe(row['predicted']);
    const scores = [1, 2, 3, 4, 5].map((n) => Number(row[`score ${n}`]));
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
  }
});

test.each([
  [
    ['--checkpoint', '@empty'],
    /empty: expected a file, got a folder without best\.safetensors, so it is not a run's$/m,
  ],
  [['--checkpoint', '@unvalidated'], /got a folder without best\.safetensors; it has .*last\.safetensors$/m],
  [['--checkpoint', '@run', '--csv', 'no/such/p.csv'], /--csv no\/such\/p\.csv: the folder .* does not exist/],
  [['--checkpoint', '@run', '--html', '@run'], /--html .*run: expected a file, got a folder/],
])('%j is refused in one sentence', (args, message) => {
  mkdirSync(at('empty'), { recursive: true });
  mkdirSync(at('unvalidated'), { recursive: true });
  writeFileSync(at('unvalidated/last.safetensors'), '');
  const given = args.map((word) => word.replace('@', `${folder}/`));
  const { status, err } = runCli(['evaluate', '--data', at('list.csv'), ...given]);
  expect(err).toMatch(message);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(status).toBe(1);
});
