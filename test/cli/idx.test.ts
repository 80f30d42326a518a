/** Pictures of IDX files through every command. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { idxImages, writeIdxSet } from '../support/idx';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

/** Pictures of 12 x 10: the left half is white in class 1, the right half in class 0. */
function halves(labels: readonly number[]): Buffer {
  const data = idxImages(labels.length, [10, 12]);
  for (let i = 16; i < data.length; i++) {
    const place = (i - 16) % 120;
    data[i] = (place % 12 < 6 ? 1 : 0) === labels[Math.floor((i - 16) / 120)] ? 200 + (i % 50) : i % 40;
  }
  return data;
}

const TRAIN = Array.from({ length: 16 }, (_, i) => i % 2);
const TEST = [0, 1, 1, 0, 1];
const MODEL = ['--preset', 'shapes', 'TRAIN.DATASET', 'folders', 'MODEL.NUM_CLASSES', '0'];

beforeAll(() => {
  mkdirSync(at('data'));
  writeIdxSet(at('data'), 'train', TRAIN, '.gz', halves(TRAIN));
  writeIdxSet(at('data'), 't10k', TEST, '', halves(TEST));
  writeFileSync(at('data/classes.txt'), 'right\nleft\n');
  const shape = ['--crop', '32', '--batch-size', '8', '--micro-batch', '8', '--epochs', '2', '--warmup-epochs', '0'];
  const data = ['--data', at('data'), '--val', at('data'), '--out', at('run'), '--workers', '2'];
  const { status, out, err } = runCli(['train', ...MODEL, 'TEST.ENABLE', 'False', ...data, ...shape]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatch(/1 frames? of 32x32, 2 classes|32x32, 2 classes/);
  expect(out).toMatch(/data: 16 clips, 5 for validation/);
});

test('evaluate takes the test set, and names pictures by file and number', () => {
  const { out, status } = runCli(['evaluate', '--data', at('data'), '--checkpoint', at('run'), '--json']);
  expect(status).toBe(0);
  const found = JSON.parse(out) as {
    videos: number;
    classNames: string[];
    predictions: { file: string; label: string; scores: { label: string; probability: number }[] }[];
  };
  expect([found.videos, found.classNames]).toEqual([5, ['right', 'left']]);
  const names = TEST.map((_, i) => `${at('data')}/t10k-images-idx3-ubyte#${i}`);
  expect(found.predictions.map(({ file }) => file)).toEqual(names);
  expect(found.predictions.map(({ label }) => label)).toEqual(TEST.map((label) => ['right', 'left'][label]));

  const predict = (...inputs: string[]) =>
    runCli(['predict', ...inputs, '--checkpoint', at('run'), '--json'])
      .out.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { input: string; guesses: object[] });
  const expected = found.predictions.map(({ file, scores }) => ({ input: file, guesses: scores }));
  const shown = ({ input, guesses }: { input: string; guesses: object[] }) => ({ input, guesses });
  const file = at('data/t10k-images-idx3-ubyte');
  expect(predict(`${file}#3`).map(shown)).toEqual([expected[3]]);
  expect(predict(`${file}#1-2`, `${file}#0`).map(shown)).toEqual([expected[1], expected[2], expected[0]]);
  expect(predict(file).map(shown)).toEqual(expected);
});

test('data check counts both sets, and finds equal pictures in them', () => {
  const args = ['data', 'check', at('data'), '--val', at('data'), '--model', 'image-t', '--json'];
  const { lists, shared } = JSON.parse(runCli(args).out) as {
    lists: {
      notes: string[];
      classes: { name: string; files: number }[];
      sizes: { value: string }[];
      bytes: number;
      equal: string[][];
    }[];
    shared: [string, string][];
  };
  expect(lists.map(({ classes }) => classes.map(({ name, files }) => [name, files]))).toEqual([
    [
      ['right', 8],
      ['left', 8],
    ],
    [
      ['right', 2],
      ['left', 3],
    ],
  ]);
  expect(lists.flatMap(({ notes }) => notes)).toEqual([]);
  expect(lists.map(({ sizes, bytes }) => [sizes[0]!.value, bytes])).toEqual([
    ['12x10', 16 * 120],
    ['12x10', 5 * 120],
  ]);
  const pictures = [halves(TRAIN), halves(TEST)].map((data) =>
    Array.from({ length: (data.length - 16) / 120 }, (_, i) =>
      data.subarray(16 + i * 120, 136 + i * 120).toString('hex'),
    ),
  );
  const equal = pictures[1]!.filter((one) => pictures[0]!.includes(one)).length;
  expect(shared).toHaveLength(equal);
});

test.each([
  [
    ['train', '--data', '@data', '--model', 'video-s', '--out', '@x'],
    /these are pictures, and the model takes videos; give a/,
  ],
  [
    ['predict', '@data/t10k-images-idx3-ubyte#5', '--checkpoint', '@run'],
    /pictures 5 to 5 were asked for, it has 0 to 4$/m,
  ],
  [['predict', '@data/t10k-images-idx3-ubyte#3-2', '--checkpoint', '@run'], /pictures 3 to 2 were asked for/],
  [
    ['predict', '@data/none-images-idx3-ubyte#0', '--checkpoint', '@run'],
    /none-images-idx3-ubyte#0: no such file or folder$/m,
  ],
])('%j is refused in one sentence', (args, message) => {
  const { status, err } = runCli(args.map((word) => word.replace('@', `${folder}/`)));
  expect(err).toMatch(message);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(status).toBe(1);
});
