import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { save, tensor } from '../../src';
import { idxImages, writeIdxSet } from '../support/idx';

const root = path.join(__dirname, '..', '..');
const fixture = path.join(root, 'test', 'fixtures', 'mnist', 'losses.json');
const pytorch = JSON.parse(readFileSync(fixture, 'utf8')) as {
  losses: number[];
  tests: { loss: number; correct: number }[];
};
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-mnist-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The pictures and labels of the fixture (test/fixtures/mnist/make.py). */
function writePictures(set: string, count: number): void {
  const pixel = (i: number, r: number, c: number) =>
    (r * ((i % 10) + 1) * 9 + c * (10 - (i % 10)) * 7 + ((i * 17) % 40)) % 256;
  const images = idxImages(count, [28, 28]);
  for (let j = 0; j < 784 * count; j++) images[16 + j] = pixel(Math.floor(j / 784), Math.floor((j % 784) / 28), j % 28);
  writeIdxSet(
    folder,
    set,
    Array.from({ length: count }, (_, i) => i % 10),
    '',
    images,
  );
}

/** The initial weights of the fixture. */
function writeWeights(file: string): void {
  const SHAPES = { conv1: [32, 1, 3, 3], conv2: [64, 32, 3, 3], fc1: [128, 9216], fc2: [10, 128] };
  const tensors = Object.entries(SHAPES).flatMap(([layer, shape], at) => {
    const fanIn = shape.slice(1).reduce((a, b) => a * b);
    const filled = (t: number, size: number) =>
      Float32Array.from(
        { length: size },
        (_, j) => ((((j * 7919 + t * 104729) % 20011) / 20011) * 2 - 1) / Math.sqrt(fanIn),
      );
    const weight = tensor(filled(2 * at, fanIn * shape[0]!), shape);
    const bias = tensor(filled(2 * at + 1, shape[0]!));
    return [[`${layer}.weight`, weight] as const, [`${layer}.bias`, bias] as const];
  });
  save(new Map(tensors), file);
}

test("mnist.ts has the losses of PyTorch's example from the same weights, and frees everything", () => {
  writePictures('train', 256);
  writePictures('t10k', 64);
  const weights = path.join(folder, 'initial.safetensors');
  writeWeights(weights);
  const given = ['--plain', '--epochs', '2', '--batch-size', '32', '--weights', weights];
  const live = path.join(folder, 'live.json');
  const flags = ['--require', './test/support/live_bytes.cjs', '--import', 'tsx'];
  const out = execFileSync(process.execPath, [...flags, 'examples/mnist.ts', folder, ...given], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, LIVE_BYTES: live },
  });
  const losses = [...out.matchAll(/^epoch \d+ {2}step \d+ {2}loss (\S+)$/gm)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(pytorch.losses.length);
  losses.forEach((loss, i) => expect(Math.abs(loss / pytorch.losses[i]! - 1)).toBeLessThan(1e-5));
  const tests = [...out.matchAll(/test loss (\S+) {2}right (\d+) of 64$/gm)].map(([, loss, right]) => [loss, right]);
  tests.forEach(([loss, right], i) => {
    expect(Math.abs(Number(loss) / pytorch.tests[i]!.loss - 1)).toBeLessThan(1e-5);
    expect(Number(right)).toBe(pytorch.tests[i]!.correct);
  });
  expect(tests).toHaveLength(2);
  expect(out).toMatch(/^0 bytes live$/m);
  const after = JSON.parse(readFileSync(live, 'utf8')) as number[]; // in each of two epochs of eight equal batches
  expect(after).toHaveLength(16);
  expect(new Set(after).size).toBe(1);
});
