/** `openClips`: labelled pictures and videos as batches of tensors, from the package's root. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { backward, crossEntropy, memory, manualSeed, nn, optim, relu, scope, type Tensor } from '../../src';
import { clipBatches } from '../../src/train/clip_batches';
import { TALL, writeNumbered } from '../data/video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-clips-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NORMALISATION = { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.5] };
const PICTURE = { frames: 1, rate: 1, crop: 8, normalisation: NORMALISATION };

/** Pictures of one colour in folders of classes: 'dark' is red and weak, 'light' green. One file is no picture. */
async function pictures(): Promise<string> {
  const root = path.join(folder, 'pictures');
  for (const name of ['dark', 'light'])
    for (let i = 0; i < 6; i++) {
      mkdirSync(path.join(root, name), { recursive: true });
      const background = name === 'dark' ? { r: 51, g: i, b: 0 } : { r: 0, g: 255 - i, b: 102 };
      await sharp({ create: { width: 12, height: 8, channels: 3, background } })
        .png()
        .toFile(path.join(root, name, `${i}.png`));
    }
  writeFileSync(path.join(root, 'light', '3.png'), 'not a picture');
  return root;
}
let root: string;
beforeAll(async () => (root = await pictures()));

test('pictures: values, labels and files in the order of the list, without what cannot be read', async () => {
  const clips = clipBatches(root, { input: PICTURE, batchSize: 4, workers: 2 });
  const before = memory().live;
  expect([clips.classNames, clips.length]).toEqual([['dark', 'light'], 3]);
  const seen: string[] = [];
  for await (const { x, labels, files } of clips) {
    expect(x.shape).toEqual([files.length, 3, 1, 8, 8]);
    const values = x.floats();
    files.forEach((file, k) => {
      const [name, i] = [path.basename(path.dirname(file)), Number(path.basename(file, '.png'))];
      const colour = name === 'dark' ? [51, i, 0] : [0, 255 - i, 102];
      expect((labels.toArray() as number[])[k]).toBe(name === 'dark' ? 0 : 1);
      for (let c = 0; c < 3; c++) {
        const want = (colour[c]! / 255 - NORMALISATION.mean[c]!) / NORMALISATION.std[c]!;
        for (const value of values.subarray((k * 3 + c) * 64, (k * 3 + c + 1) * 64))
          expect(Math.abs(value - want)).toBeLessThan(1e-5);
      }
      seen.push(`${name} ${i}`);
    });
    x.dispose();
    labels.dispose();
  }
  expect(seen).toEqual([0, 1, 2, 3, 4, 5].map((i) => `dark ${i}`).concat([0, 1, 2, 4, 5].map((i) => `light ${i}`)));
  expect(clips.skipped).toEqual([{ name: expect.stringContaining('3.png'), reason: expect.stringContaining('3.png') }]);
  expect(memory().live).toBe(before);
  await clips.close();
});

test('videos of a csv: the middle clip, and other clips of the same video in each epoch of a training, by the seed', async () => {
  await writeNumbered(path.join(folder, 'long.mp4'), 90);
  const list = path.join(folder, 'list.csv');
  writeFileSync(list, 'long.mp4,0\n');
  const input = {
    frames: 4,
    rate: 2,
    crop: TALL,
    normalisation: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  };
  const numbers = async (train: boolean, seed = 0): Promise<number[][]> => {
    const clips = clipBatches(list, { input, train, seed, workers: 1 });
    const epochs: number[][] = [];
    for (let epoch = 0; epoch < 3; epoch++)
      for await (const { x, labels } of clips) {
        epochs.push(times(x));
        x.dispose();
        labels.dispose();
      }
    await clips.close();
    return epochs;
  };
  const still = await numbers(false);
  expect(still).toEqual([still[0], still[0], still[0]]);
  const drawn = await numbers(true, 5);
  expect(new Set(drawn.map(String)).size).toBeGreaterThan(1);
  expect(await numbers(true, 5)).toEqual(drawn);
  expect(await numbers(true, 6)).not.toEqual(drawn);
});

/** A fingerprint of each frame: the middle row's bits, whatever the crop. */
function times(x: Tensor): number[] {
  const [, , frames] = x.shape as [number, number, number];
  const values = x.floats();
  return Array.from({ length: frames }, (_, t) => {
    const red = values.subarray(t * TALL * TALL, (t + 1) * TALL * TALL);
    return red.reduce((sum, value, i) => sum + (value > 128 ? i : 0), 0);
  });
}

test("a loop of one's own learns from a folder", async () => {
  manualSeed(1);
  const net = new nn.Linear(3 * 64, 2);
  const optimizer = new optim.SGD(net.parameters(), { lr: 0.01 });
  const clips = clipBatches(root, { input: PICTURE, batchSize: 4, train: true, flip: true, seed: 2 });
  const losses: number[] = [];
  for (let epoch = 0; epoch < 5; epoch++)
    for await (const { x, labels } of clips) {
      scope(() => {
        const loss = crossEntropy(net.forward(relu(x).reshape([-1, 3 * 64])), labels);
        backward(loss);
        losses.push(loss.item());
      });
      optimizer.step();
      optimizer.zeroGrad();
      x.dispose();
      labels.dispose();
    }
  await clips.close();
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
});

test.each([
  ['an option that does not exist', { batch: 4 }, /openClips: unknown option 'batch', expected input, batchSize/],
  ['flip without training', { flip: true }, /flip and augmentation are of training clips: give train: true/],
  ['a batch of no clips', { batchSize: 0 }, /batch size: expected a whole number of at least 1, got 0/],
  ['no workers', { workers: 0 }, /workers|decod/],
])('%s is refused', (_, more, message) => {
  expect(() => clipBatches(root, { input: PICTURE, ...more } as never)).toThrow(message);
});

test('a list that is not there is refused with its path', () => {
  const missing = path.join(folder, 'none.csv');
  expect(() => clipBatches(missing, { input: PICTURE })).toThrow(missing);
});

test('the package opens clips by its root', () => {
  const program = `const m = require('./dist');
    m.openClips('motion:6', { input: { frames: 16, rate: 1, crop: 16, normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } }, batchSize: 4 })
      .then(async (clips) => {
        for await (const { x, labels, files } of clips) console.log(x.shape.join(), labels.shape.join(), files.length);
        await clips.close();
      });`;
  const cwd = path.join(__dirname, '..', '..');
  const out = execFileSync(process.execPath, ['-e', program], { cwd, encoding: 'utf8' });
  expect(out).toBe('4,3,16,16,16 4 4\n2,3,16,16,16 2 2\n');
});
