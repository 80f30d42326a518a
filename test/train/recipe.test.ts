import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { DecodePool } from '../../src/data/video/decode_pool';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { openDataset } from '../../src/data/open';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { segmentFrames } from '../../src/data/sampling';
import { Philox } from '../../src/core/philox';
import { readEvents } from '../../src/formats/tensorboard';
import { Run } from '../../src/train/run';
import { writePictures } from '../data/video_support';
import { writeVideo } from '../../src/data/video/encode';
import { runCli } from '../support/run_cli';
import { quickRun } from '../support/run_options';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const OFFICIAL = (name: string) => path.join(__dirname, '..', 'fixtures', 'configs', `${name}.yaml`);

/** A model small enough for a test, in place of the recipe's, on clips of 32 x 32. */
const TINY = [
  ...['MORPH.LAYERS', '[1, 1, 1, 1]', 'MORPH.EMBED_DIMS', '[32, 32, 32, 64]', 'MORPH.SEGMENT_DIM', '[8, 8, 8, 4]'],
  ...['DATA.TRAIN_CROP_SIZE', '32', 'DATA.TEST_CROP_SIZE', '32', 'DATA.TRAIN_JITTER_SCALES', '[36, 48]'],
  ...['TRAIN.BATCH_SIZE', '2', 'DATA_LOADER.NUM_WORKERS', '1', 'SOLVER.MAX_EPOCH', '1', 'SOLVER.WARMUP_EPOCHS', '0'],
  ...['MORPH.PRETRAIN_PATH', '', 'TEST.BATCH_SIZE', '4'],
];

describe("the authors' recipes end to end", () => {
  beforeAll(async () => {
    for (const name of ['k400', 'sth/frames', 'images']) mkdirSync(at(name), { recursive: true });
    const clips = new MotionDataset({ seed: 1, length: 8, size: 48 });
    const lines: string[] = [];
    for (let i = 0; i < 8; i++) {
      await writeVideo(clips.render(i), at(`k400/v${i}.mp4`));
      await writePictures(at(`k400/v${i}.mp4`), at(`sth/frames/${i}`), '{:06d}.jpg');
      lines.push(`v${i}.mp4,${i * 50}`);
    }
    writeFileSync(at('k400/bad.mp4'), 'no video');
    const broken = ['bad.mp4,1', 'gone.mp4,2'];
    for (const split of ['train', 'val', 'test'])
      writeFileSync(at(`k400/${split}.csv`), [...lines, ...broken].join('\n'));
    const frames = Array.from({ length: 8 }, (_, i) => `${i} 16 ${i * 20}`).join('\n');
    for (const split of ['train', 'validation']) writeFileSync(at(`sth/somesomev2_rgb_${split}_split.txt`), frames);
  });

  test('K400: trains, tests with several views, names what is corrupt and missing', () => {
    const pairs = ['DATA.PATH_TO_DATA_DIR', at('k400'), 'DATA.PATH_PREFIX', at('k400'), 'OUTPUT_DIR', at('out-k400')];
    const views = ['TEST.NUM_ENSEMBLE_VIEWS', '2', 'TEST.NUM_SPATIAL_CROPS', '3'];
    const run = runCli(['train', '--cfg', OFFICIAL('K400_MLP_S16x4'), ...TINY, ...pairs, ...views]);
    expect(run).toMatchObject({ status: 0 });
    expect(run.err).toMatch(/bad.mp4/);
    expect(run.err).toMatch(/1 listed files do not exist, the first is .*gone.mp4/);
    expect(run.out).toMatch(/2 augmented clips of each .* rand-m7-n4-mstd0.5-inc1 .* mixup and cutmix/);
    const result = JSON.parse(readFileSync(at('out-k400/test.json'), 'utf8')) as Record<string, unknown>;
    expect(result).toMatchObject({ videos: 8, views: { clips: 2, crops: 3 } });
    expect(result['macsPerVideo']).toBe(6 * (result['macsPerView'] as number));
    expect((result['classNames'] as string[]).length).toBe(400);
    expect((result['skipped'] as unknown[]).length).toBe(1);
    const events = readEvents(findEvents(at('out-k400/runs-kinetics')));
    expect(JSON.stringify(events)).toMatch(/train\/loss/);
  });

  test('SSV2: lists of folders of frames', () => {
    const pairs = [
      'DATA.PATH_TO_DATA_DIR',
      at('sth'),
      'DATA.PATH_PREFIX',
      at('sth/frames'),
      'OUTPUT_DIR',
      at('out-sth'),
    ];
    const run = runCli(['train', '--cfg', OFFICIAL('SSV2_MLP_B16'), ...TINY, ...pairs]);
    expect(run).toMatchObject({ status: 0 });
    expect(run.out).toMatch(/data: 8 clips, 8 for validation/);
    const { meta } = loadCheckpoint(at('out-sth/best.safetensors'));
    expect(meta['input']).toMatchObject({ sampling: 'segment', crop: 32 });
  });

  test('pictures in class folders train an image model', () => {
    for (const split of ['train', 'val'])
      for (const [i, name] of ['a', 'b'].entries()) {
        mkdirSync(at(`images/${split}/${name}`), { recursive: true });
        for (let k = 1; k <= 3; k++)
          writeFileSync(at(`images/${split}/${name}/${k}.jpg`), readFileSync(at(`sth/frames/${i}/00000${k + 3}.jpg`)));
      }
    const own = ['MODEL.NUM_CLASSES', '2', 'DATA.PATH_TO_DATA_DIR', at('images'), 'OUTPUT_DIR', at('out-images')];
    const run = runCli(['train', '--preset', 'imagenet_t', ...TINY, ...own, 'RUN.TEST_SCALE', '36']);
    expect(run).toMatchObject({ status: 0 });
    expect(run.out).toMatch(/32x32, 2 classes/);
    const other = runCli([
      'evaluate',
      '--data',
      at('images/val'),
      '--checkpoint',
      at('out-images/best.safetensors'),
      '--json',
    ]);
    expect(JSON.parse(other.out)).toMatchObject({ videos: 6, classNames: ['a', 'b'] });
  });

  test.each([
    ['5 16 174\n', /somesomev2_rgb_train_split.txt:1: label 174 is outside 0..173/],
    ['5 16\n', /somesomev2_rgb_train_split.txt:1: expected folder number-of-frames label, got "5 16"/],
    ['nowhere 16 3\n', /none of the 1 listed files exists/],
    ['', /the list is empty; expected lines of folder number-of-frames label/],
  ])('a list %j is refused with its line', (text, message) => {
    mkdirSync(at('wrong'), { recursive: true });
    writeFileSync(at('wrong/somesomev2_rgb_train_split.txt'), text);
    const pairs = ['DATA.PATH_TO_DATA_DIR', at('wrong'), 'DATA.PATH_PREFIX', at('sth/frames'), 'OUTPUT_DIR', at('out')];
    const run = runCli(['train', '--cfg', OFFICIAL('SSV2_MLP_B16'), ...TINY, ...pairs]);
    expect(run.status).toBe(1);
    expect(run.err).toMatch(message);
  });

  test('the frames of a folder are those that sparse sampling names', async () => {
    mkdirSync(at('grey/0'), { recursive: true });
    for (let n = 0; n < 40; n++) {
      const background = { r: n * 6, g: n * 6, b: n * 6 };
      const picture = sharp({ create: { width: 40, height: 36, channels: 3, background } });
      await picture.png().toFile(at(`grey/0/${String(n + 1).padStart(5, '0')}.png`));
    }
    writeFileSync(at('grey/list.txt'), '0 40 0\n');
    const pool = new DecodePool(1);
    const clips = { frames: 16, rate: 1, crop: 32, train: false, flip: false, sampling: 'segment' as const };
    const spec = { kind: 'frames' as const, path: at('grey/list.txt'), template: '{:05d}.png' };
    const clip = await openDataset(spec, { clips, classes: 1 }, pool).clip(0, new Philox(1));
    await pool.close();
    const shown = Array.from({ length: 16 }, (_, t) => clip.pixels[t * 32 * 32 * 3 + 1500]! / 6);
    expect(shown).toEqual(segmentFrames(40, 16, { index: 0, count: 1 }));
  });
});

function findEvents(dir: string): string {
  return path.join(dir, readdirSync(dir)[0]!);
}

test('summed micro-batches take as many steps, along gradients of the same size', async () => {
  // Not the same steps: BatchNorm's statistics are those of the clips that go through the network together.
  const steps: number[][] = [];
  for (const micro of [8, 2]) {
    const losses: number[] = [];
    const values = { 'RUN.MICRO_BATCH': micro, 'SOLVER.MAX_EPOCH': 1, 'MORPH.DROP_DEPTH_RATE': 0 };
    const run = new Run(quickRun(at(`micro${micro}`), values), { step: ({ loss }) => void losses.push(loss) });
    await run.train();
    run.dispose();
    steps.push(losses);
  }
  expect(steps.map((losses) => losses.length)).toEqual([5, 5]);
  steps[0]!.forEach((loss, i) => expect(Math.abs(loss - steps[1]![i]!)).toBeLessThan(0.35));
});

test('the average of the weights is what is kept as the best', async () => {
  const run = new Run(quickRun(at('ema'), { 'RUN.EMA_DECAY': 0.5, 'SOLVER.MAX_EPOCH': 1 }), {});
  await run.train();
  run.dispose();
  const [best, last] = [loadCheckpoint(at('ema/best.safetensors')), loadCheckpoint(at('ema/last.safetensors'))];
  const name = 'head.weight';
  expect(best.tensors.get(name)!.data).toEqual(last.optimizer.get(`ema.${name}`)!.data);
  expect(best.tensors.get(name)!.data).not.toEqual(last.tensors.get(name)!.data);
});
