/** `morphmlp predict` on folders and over long videos. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inputSpec, type InputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { saveWeights } from '../../src/train/state';
import { writeNumbered, writePictures } from '../data/video_support';
import { readCsvText } from '../support/read_csv';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const NAMES = ['ants', 'bees', 'crows'];

interface Line {
  input: string;
  start: number;
  end: number;
  views: number;
  guesses: { label: string; probability: number }[];
  frames: { number: number; timestamp: number }[][];
}
const predict = (args: string[]) => runCli(['predict', ...args]);
const lines = (args: string[]): Line[] => {
  const { out, err, status } = predict([...args, '--json', '--top', '3']);
  expect({ err, status }).toEqual({ err: '', status: 0 });
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
};

function saveModel(file: string, frames: number, input: Partial<InputSpec>): void {
  seedInit(3);
  const kind = frames === 1 ? 'image' : 'video';
  const model = new MorphMLP({ ...VARIANTS['quickstart']!.config, kind, frames, numClasses: NAMES.length });
  const spec = inputSpec({ frames, rate: 1, crop: 48, normalisation: NORMALISATION, ...input });
  saveWeights(file, model, { model: model.config, classNames: NAMES, input: spec });
  model.dispose();
}

const range = (first: number, count: number, step = 1) => Array.from({ length: count }, (_, i) => first + i * step);

beforeAll(async () => {
  saveModel(at('dense.safetensors'), 16, {});
  saveModel(at('sparse.safetensors'), 16, { sampling: 'segment' });
  saveModel(at('image.safetensors'), 1, {});
  await writeNumbered(at('long.mp4'), 75);
  await writeNumbered(at('slow.mp4'), 40, 15);
  await writeNumbered(at('short.mp4'), 5);
});

describe('a sliding window', () => {
  test.each([
    ['16f', range(0, 4, 16)],
    ['1s', [0, 30]],
    ['500ms', [0, 15, 30, 45]],
    ['59f', [0, 59]],
    ['60f', [0]],
  ])('every %s begins at frames %j, and every window lies in the video whole', (every, starts) => {
    const found = lines([at('long.mp4'), '--checkpoint', at('dense.safetensors'), '--every', every]);
    expect(found.map(({ frames }) => frames)).toEqual(
      starts.map((start) => [
        range(start, 16).map((number) => ({ number, timestamp: expect.closeTo(number / 30, 5) })),
      ]),
    );
    found.forEach(({ start, end }, i) => {
      expect(start).toBeCloseTo(starts[i]! / 30, 5);
      expect(end).toBeCloseTo((starts[i]! + 16) / 30, 5);
    });
  });

  test('at another frame rate a window has the same time: 16 frames of 1/30 s are 8 of 1/15 s', () => {
    const found = lines([at('slow.mp4'), '--checkpoint', at('dense.safetensors'), '--every', '1s']);
    expect(found.map(({ frames }) => [frames[0]![0]!.number, frames[0]!.at(-1)!.number])).toEqual([
      [0, 7],
      [15, 22],
      [30, 37],
    ]);
  });

  test('a video shorter than a window has one, which repeats its last frame', () => {
    const found = lines([at('short.mp4'), '--checkpoint', at('dense.safetensors'), '--every', '1s']);
    expect(found.map(({ frames }) => frames[0]!.map(({ number }) => number))).toEqual([
      [...range(0, 5), ...new Array<number>(11).fill(4)],
    ]);
  });

  test('the scores of a window are those of its frames alone, also with three crops', async () => {
    await writePictures(at('long.mp4'), at('frames'), '{:03d}.png');
    mkdirSync(at('cut'));
    for (const n of range(33, 16)) copyFileSync(at(`frames/0${n}.png`), at(`cut/0${n}.png`));
    for (const crops of ['1', '3']) {
      const own = ['--checkpoint', at('dense.safetensors'), '--crops', crops];
      const [alone] = lines([at('cut'), '--frames-as-clip', ...own]);
      const windows = lines([at('long.mp4'), '--every', '32f', ...own]); // frame 33 is the picture of frame 32
      expect(windows[1]!.views).toBe(Number(crops));
      for (const { label, probability } of alone!.guesses)
        expect(windows[1]!.guesses.find((g) => g.label === label)!.probability).toBeCloseTo(probability, 2);
    }
  });

  test('of a model of segments it has the given length; a model of images sees single frames', () => {
    const sparse = ['--checkpoint', at('sparse.safetensors'), '--every', '20f', '--window', '32f'];
    const [first, second, third] = lines([at('long.mp4'), ...sparse]).map(({ frames }) =>
      frames[0]!.map(({ number }) => number),
    );
    expect(first![0]).toBeGreaterThanOrEqual(0);
    expect(first!.at(-1)).toBeLessThan(32);
    expect(second).toEqual(first!.map((n) => n + 20));
    expect(third).toEqual(first!.map((n) => n + 40));
    const image = lines([at('long.mp4'), '--checkpoint', at('image.safetensors'), '--every', '1s']);
    expect(image.map(({ frames }) => frames[0]!.map(({ number }) => number))).toEqual([[0], [30], [60]]);
  });

  test('csv, text and timeline have the same windows', () => {
    const args = [at('long.mp4'), '--checkpoint', at('dense.safetensors'), '--every', '8f'];
    const found = lines(args);
    const { out } = predict([...args, '--csv', at('w.csv'), '--timeline', at('t.svg')]);
    expect(predict([...args, '--timeline', at('t.html')]).status).toBe(0);
    const rows = readCsvText(readFileSync(at('w.csv'), 'utf8'));
    expect(rows.map(({ input, start, end, predicted }) => [input, start, end, predicted])).toEqual(
      found.map(({ start, end, guesses }) => [at('long.mp4'), start.toFixed(3), end.toFixed(3), guesses[0]!.label]),
    );
    const printed = out.trim().split('\n');
    expect(printed[0]).toBe(at('long.mp4'));
    expect(printed[2]).toMatch(/^ {2}0:00\.3 – 0:00\.8 {2}(ants|bees|crows) +\d+\.\d%/);
    expect(printed).toHaveLength(found.length + 1);
    expect(readFileSync(at('t.svg'), 'utf8')).toMatch(/^<svg xmlns[^]*<\/svg>$/);
    expect(readFileSync(at('t.html'), 'utf8')).toContain(`${found.length} windows`);
  });

  test.each([
    [['@long.mp4', '--every', '0s'], /Expected a time such as 1s, 500ms or 2min, or a whole number of frames/],
    [['@long.mp4', '--every', '1.5f'], /Expected a time such as 1s/],
    [['@long.mp4', '--every', '1s', '--window', '2s'], /a window of 0\.53 s: --window is for models that take/],
    [['@long.mp4', '--timeline', 't.svg'], /--timeline needs --every/],
    [['@long.mp4', '--every', '1s', '--timeline', 't.png'], /expected a name that ends in \.svg or \.html/],
    [['@long.mp4', '@slow.mp4', '--every', '1s', '--timeline', 't.svg'], /draws one video, got 2 inputs/],
    [['@long.mp4', '--every', '1s', '--clips', '2'], /'--every <distance>' cannot be used with option '--clips <n>'/],
    [['@long.mp4', '--every', '1s', '--checkpoint', '@sparse.safetensors'], /--every needs the length of a window/],
  ])('%j is refused in one sentence', (args, message) => {
    const given = args.map((word) => word.replace('@', `${folder}/`));
    const { status, err } = predict(
      given.includes('--checkpoint') ? given : [...given, '--checkpoint', at('dense.safetensors')],
    );
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(status).toBe(1);
  });
});

describe('a folder', () => {
  beforeAll(() => {
    mkdirSync(at('tree/b/deep'), { recursive: true });
    mkdirSync(at('tree/.hidden'));
    mkdirSync(at('run'));
    copyFileSync(at('short.mp4'), at('tree/10.mp4'));
    copyFileSync(at('short.mp4'), at('tree/9.mp4'));
    copyFileSync(at('short.mp4'), at('tree/b/deep/no_ending'));
    copyFileSync(at('short.mp4'), at('tree/.hidden/x.mp4'));
    for (const name of ['a.txt', 'b/b.txt', 'b/list.csv']) writeFileSync(at(`tree/${name}`), 'text');
    copyFileSync(at('dense.safetensors'), at('run/best.safetensors'));
  });

  test('is searched at any depth; what is left out is counted by kind, and the weights of a run folder are named', () => {
    const { out, err, status } = predict([
      at('tree'),
      '--checkpoint',
      at('run'),
      '--csv',
      at('tree.csv'),
      '--top',
      '1',
    ]);
    expect(status).toBe(0);
    const names = ['9.mp4', '10.mp4', 'b/deep/no_ending'].map((name) => at(`tree/${name}`));
    const rows = readCsvText(readFileSync(at('tree.csv'), 'utf8'));
    expect(rows.map(({ input }) => input)).toEqual(names);
    expect(new Set(rows.map((row) => row['score ants'])).size).toBe(1);
    expect(
      out
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/)[0]),
    ).toEqual(names);
    expect(err).toMatch(/^note: .*tree: left out: \.txt: 2 files, neither picture nor video \(the first is a\.txt\)$/m);
    expect(err).toMatch(/^note: .*tree: left out: \.csv: 1 file, neither picture nor video \(b\/list\.csv\)$/m);
    expect(err).toMatch(/^note: the weights are those of .*run\/best\.safetensors$/m);
  });

  test('without a video or picture it is refused with what is in it', () => {
    mkdirSync(at('notes'));
    writeFileSync(at('notes/x.txt'), 'text');
    const { err, status } = predict([at('notes'), '--checkpoint', at('run')]);
    expect(err).toMatch(
      /notes: no videos or pictures in this folder; left out: \.txt: 1 file, neither picture nor video/,
    );
    expect(status).toBe(1);
  });
});
