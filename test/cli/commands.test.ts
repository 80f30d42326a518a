import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeVideo } from '../../src/data/video/encode';
import { MotionDataset } from '../../src/data/synthetic/motion';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

function morphmlp(...args: string[]): { status: number | null; out: string; err: string } {
  const bin = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, out: stdout, err: stderr };
}

const SMALL = ['--model', 'quickstart', '--crop', '32', '--rate', '1', '--epochs', '1', '--batch-size', '4'];

beforeAll(async () => {
  mkdirSync(at('videos'));
  const clips = new MotionDataset({ seed: 1, length: 8, size: 48 });
  const lines: string[] = [];
  for (let i = 0; i < 8; i++) {
    await writeVideo(clips.render(i), at(`videos/${i}.mp4`));
    lines.push(`videos/${i}.mp4,${i % 2 === 0 ? 'even' : 'odd'}`);
  }
  writeFileSync(at('videos/broken.mp4'), 'this is not a video');
  writeFileSync(at('all.csv'), [...lines, 'videos/broken.mp4,odd', 'videos/missing.mp4,even'].join('\n'));
  writeFileSync(at('val.csv'), lines.join('\r\n'));
  writeFileSync(at('bad_line.csv'), 'videos/0.mp4,even\nvideos/1.mp4\n');
  writeFileSync(at('bad_label.csv'), 'videos/0.mp4,green\n');
  for (let i = 0; i < 4; i++) writeFileSync(at(`videos/bad${i}.mp4`), 'no video');
  writeFileSync(at('unreadable.csv'), [0, 1, 2, 3].map((i) => `videos/bad${i}.mp4,0`).join('\n'));
});

test('a run is not overwritten without --overwrite', () => {
  const args = ['train', '--data', at('val.csv'), ...SMALL, '--out', at('kept')];
  expect(morphmlp(...args)).toMatchObject({ status: 0 });
  const kept = readFileSync(at('kept/last.safetensors'));
  const again = morphmlp(...args, '--seed', '1');
  const message = `${at('kept')} has a run already (last.safetensors): give --resume, --overwrite or another --out`;
  expect(again).toMatchObject({ status: 1, out: '' });
  expect(again.err).toContain(message);
  expect(morphmlp(...args, '--overwrite', '--resume')).toMatchObject({ status: 1 });
  expect(readFileSync(at('kept/last.safetensors')).equals(kept)).toBe(true);
  expect(morphmlp(...args, '--seed', '1', '--overwrite')).toMatchObject({ status: 0 });
  expect(readFileSync(at('kept/last.safetensors')).equals(kept)).toBe(false);
});

test('trains on video files, skipping and naming the unreadable, then evaluates and predicts', () => {
  const train = morphmlp('train', '--data', at('all.csv'), '--val', at('val.csv'), ...SMALL, '--out', at('run'));
  expect(train).toMatchObject({ status: 0 });
  expect(train.err).toMatch(/1 file could not be read:/);
  expect(train.err).toMatch(/1 listed files do not exist, the first is .*missing.mp4/);
  expect(train.err).toMatch(/broken.mp4/);
  expect(train.out).toMatch(/epoch 1\/1 {2}loss \d/);
  const checkpoint = at('run/best.safetensors');
  const evaluated = JSON.parse(
    morphmlp('evaluate', '--data', at('val.csv'), '--checkpoint', checkpoint, '--json').out,
  ) as { videos: number; classNames: string[] };
  expect(evaluated).toMatchObject({ videos: 8, views: { clips: 1, crops: 1 }, classNames: ['even', 'odd'] });
  const predicted = morphmlp(
    'predict',
    at('videos/3.mp4'),
    at('videos/broken.mp4'),
    '--checkpoint',
    checkpoint,
    '--json',
  );
  expect(predicted.status).toBe(1);
  expect(predicted.err).toMatch(/broken.mp4/);
  const { guesses } = JSON.parse(predicted.out) as { guesses: { label: string; probability: number }[] };
  expect(guesses.reduce((sum, g) => sum + g.probability, 0)).toBeCloseTo(1, 5);
});

test.each([
  [['train'], /--data is missing/],
  [['train', '--data', 'nowhere.csv'], /nowhere.csv: no such file or folder/],
  [['train', '--data', 'motion', '--model', 'video-xl'], /'video-xl' is not one of quickstart, .*video-s/],
  [['train', '--data', 'motion', '--frames', 'many'], /Expected a whole number of at least 1/],
  [['train', '--data', 'motion', '--model', 'image-t'], /motion dataset: frames must be a multiple of 16, got 1/],
  [['train', '--data', 'motion', '--device', 'cuda'], /no CUDA device: /],
  [
    ['train', '--data', 'motion', '--cuda-graph', 'on'],
    /RUN\.CUDA_GRAPH records launches on a GPU: it needs RUN\.DEVICE cuda, which is cpu/,
  ],
  [['train', '--data', 'motion', '--colour'], /^morphmlp: unknown option '--colour'/],
  [['train', '--preset', 'slow'], /--preset slow is not one of: .*k400_s16.*quickstart/],
  [['evaluate', '--data', 'motion', '--checkpoint', 'nowhere.safetensors'], /nowhere.safetensors/],
  [['predict', 'clip.mp4', '--checkpoint', 'x.safetensors'], /clip.mp4: no such file or folder/],
  [['flops', 'video-xl'], /model 'video-xl' is not one of/],
  [['verify', 'nowhere.json'], /nowhere.json: no such file/],
  [['verify', __dirname], /cli: expected a file, got a folder$/m],
  [['verify', __filename], /commands.test.ts: not a reference file: it is not JSON$/m],
  [['flops', 'video-s', '--all'], /expected one model or --all, got video-s and --all/],
  [['bench', 'kernels', '--out', '/nowhere/k.json'], /--out \/nowhere\/k.json: the folder \/nowhere does not exist/],
  [['bench', 'paper', '--out', '/nowhere/p.json'], /--out \/nowhere\/p.json: the folder \/nowhere does not exist/],
  [['bench', 'data', '--data', 'motion', '--json', __dirname], /--json .*: expected a file, got a folder/],
])('%j is one clear sentence and exit status 1', (args, message) => {
  const { status, err } = morphmlp(...args);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
});

test.each([
  ['bad_line.csv', /bad_line.csv:2: /],
  ['unreadable.csv', /no clip|none of|could be read/],
])('a list like %s is refused by name and line', (csv, message) => {
  expect(morphmlp('train', '--data', at(csv), ...SMALL, '--out', at('refused'))).toMatchObject({
    status: 1,
    err: expect.stringMatching(message) as string,
  });
});

test('labels unknown to the checkpoint are rejected with their line', () => {
  const { err, status } = morphmlp(
    'evaluate',
    '--data',
    at('bad_label.csv'),
    '--checkpoint',
    at('run/best.safetensors'),
  );
  expect(err).toMatch(/bad_label.csv:1: /);
  expect(status).toBe(1);
});

test('training on prepared clips equals training on the list, and bench data measures both', () => {
  expect(morphmlp('prepare', at('all.csv'), at('packed')).err).toMatch(/broken.mp4/);
  const train = morphmlp('train', '--data', at('packed'), '--val', at('val.csv'), ...SMALL, '--out', at('packed_run'));
  expect(train).toMatchObject({ status: 0, out: expect.stringMatching(/data: 8 clips/) as string });
  const small = ['--model', 'quickstart', '--crop', '32', '--count', '4', '--rounds', '1'];
  const bench = ['bench', 'data', ...small, '--batch-size', '2', '--steps', '2', '--json', at('bench.json')];
  for (const data of ['packed', 'all.csv']) {
    const { out } = morphmlp(...bench, '--data', at(data));
    expect(out).toMatch(/1 worker +\d/);
    expect(out).toMatch(/% of a step waits for data/);
  }
  const figures = JSON.parse(readFileSync(at('bench.json'), 'utf8')) as Record<string, number>;
  expect(figures.worker).toBeGreaterThan(0);
});

test('a closed pipe is not an error', () => {
  const bin = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  for (const args of ['train --preset quickstart --print-config', 'flops --all --ops']) {
    const line = `'${process.execPath}' '${bin}' ${args} | true; exit \${PIPESTATUS[0]}`;
    const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  }
});

test('every command has help with examples', () => {
  const commands = [
    ...['train', 'evaluate', 'predict', 'convert', 'export', 'flops', 'verify', 'prepare', 'study', 'kernel'],
    ...['data check', 'data preview', 'data export', 'bench kernels', 'bench paper', 'bench compare', 'bench data'],
    ...['kernel new', 'kernel build', 'kernel check', 'runs list', 'runs compare', 'report'],
  ];
  for (const command of commands) expect(morphmlp(...command.split(' '), '--help').out).toMatch(/^Example/m);
});

test.each([
  ['quickstart', 'false'],
  ['ssv1_s16', 'false'],
  ['k400_s16', 'true'],
])("what is not said on the command line is the recipe's: %s mirrors clips: %s", (preset, mirrors) => {
  const flip = (...flags: string[]) =>
    /RANDOM_FLIP: (\w+)/.exec(morphmlp('train', '--preset', preset, '--print-config', ...flags).out)![1];
  expect([flip(), flip('--flip'), flip('--no-flip')]).toEqual([mirrors, 'true', 'false']);
});
