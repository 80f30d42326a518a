import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exportDataset } from '../../src/data/export';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { writePictures } from '../data/video_support';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { writeVideo } from '../../src/data/video/encode';
import { archive, dict, op, pickle, tensor, zip } from '../formats/torch/pytorch_files';
import { CLI } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'official-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

/** A file as the authors' training code writes it: the weights of a fresh model of a published size, 400 classes. */
function writePretrained(file: string, variant: 'video-s' | 'video-b'): void {
  const model = new MorphMLP({ ...VARIANTS[variant]!.config, numClasses: 400 });
  const storages: Record<string, Buffer> = {};
  const entries = [...model.namedParameters(), ...model.namedBuffers()].map(([name, t], i) => {
    storages[i] = Buffer.from(t.floats().buffer);
    const stride = t.shape.map((_, axis) => t.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [name, tensor({ key: String(i), total: t.size, shape: [...t.shape], stride })] as const;
  });
  model.dispose();
  const state = Object.fromEntries(entries);
  const data = pickle(
    op.dict,
    op.text('epoch'),
    op.int(60),
    op.setItem,
    op.text('model_state'),
    dict(state),
    op.setItem,
  );
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, zip(archive(data, storages)));
}

/** Trains in `folder` until its first epoch is over, then stops it as a person would. */
async function trainEpoch(args: readonly string[]): Promise<{ out: string; err: string; status: number | null }> {
  const child = spawn(process.execPath, [CLI, 'train', ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
  });
  let [out, err, stopped] = ['', '', false];
  child.stderr.on('data', (data) => (err += String(data)));
  child.stdout.on('data', (data) => {
    out += String(data);
    if (stopped || !/^epoch 1\/60/m.test(out)) return;
    stopped = true; // a second SIGINT would end it before it has saved
    child.kill('SIGINT');
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { out, err, status };
}

/** The machine's size: all that is not the recipe's. */
const SMALL = ['TRAIN.BATCH_SIZE', '2', 'RUN.MICRO_BATCH', '1', 'DATA_LOADER.NUM_WORKERS', '1'];
const OFFICIAL = (name: string) => path.join(__dirname, '..', 'fixtures', 'configs', `${name}.yaml`);

describe("the authors' files as they are, in a folder as theirs is", () => {
  test('K400_MLP_S16x4.yaml trains two steps from a pretrained file', async () => {
    await exportDataset(at('data_list', 'k400'), { layout: 'video', seed: 2, train: 4, val: 2, size: 64 });
    for (const split of ['train', 'val']) rmSync(at('data_list', 'k400', split, 'classes.txt'));
    rmSync(at('data_list', 'k400', 'classes.txt'));
    for (const [split, count] of [
      ['train', 4],
      ['val', 2],
      ['test', 2],
    ] as const) {
      const lines = Array.from({ length: count }, (_, i) => `${split}${i}.mp4,${99 * i}\n`);
      writeFileSync(at('data_list', 'k400', `${split}.csv`), lines.join(''));
      const motion = path.join('data_list', 'k400', 'train', 'downwards', '00002.mp4');
      for (let i = 0; i < count; i++) cpSync(at(motion), at('data_list', 'k400', `${split}${i}.mp4`));
    }
    writePretrained(at('pretrained', 'video_morphmlp_s.pth'), 'video-s');
    const { out, err, status } = await trainEpoch(['--cfg', OFFICIAL('K400_MLP_S16x4'), ...SMALL]);
    expect([status, err.replace(/^note: .*\n|^epoch .*\n|^\n|^stopping .*\n/gm, '')]).toEqual([130, '']);
    expect(out).toMatch(/video-s: 47\.\d+M parameters, 16 frames of 224x224, 400 classes/);
    expect(out).toMatch(/started from video-s .*: 516 tensors/);
    expect(out).toMatch(/epoch 1\/60 {2}loss \d+\.\d+/);
    expect(existsSync(at('last.safetensors'))).toBe(true);
  }, 300_000);

  test('SSV2_MLP_B16.yaml trains two steps from a pretrained file', async () => {
    const lists = at('data_list', 'sthv2');
    mkdirSync(lists, { recursive: true });
    const clips = new MotionDataset({ seed: 1, length: 4, size: 96, frames: 32 });
    for (let i = 0; i < 4; i++) {
      await writeVideo(clips.render(i), at(`${i}.mp4`), 12);
      await writePictures(at(`${i}.mp4`), at('frames', String(i)), '{:06d}.jpg');
    }
    const list = Array.from({ length: 4 }, (_, i) => `${i} 32 ${i * 50}\n`).join('');
    for (const split of ['train', 'validation'])
      writeFileSync(path.join(lists, `somesomev2_rgb_${split}_split.txt`), list);
    writePretrained(at('pretrained', 'video_morphmlp_b.pth'), 'video-b');
    const places = ['DATA.PATH_PREFIX', at('frames'), 'OUTPUT_DIR', 'ssv2'];
    const { out, err, status } = await trainEpoch(['--cfg', OFFICIAL('SSV2_MLP_B16'), ...SMALL, ...places]);
    expect([status, err.replace(/^note: .*\n|^epoch .*\n|^\n|^stopping .*\n/gm, '')]).toEqual([130, '']);
    expect(out).toMatch(/video-b: 67\.\d+M parameters, 16 frames of 224x224, 174 classes/);
    expect(out).toMatch(/started anew: .*head/);
    expect(out).toMatch(/epoch 1\/60 {2}loss \d+\.\d+/);
  }, 300_000);
});
