import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { saveWeights } from '../../src/train/state';
import type { Study } from '../../src/study/types';
import { runCli } from '../support/run_cli';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'study-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => path.join(folder, name);

test('a training step of a model on drawn clips: tables, sentences, page, figures and trace', () => {
  const outputs = ['--out', file('page.html'), '--json', file('study.json'), '--trace', file('trace.json')];
  const args = ['quickstart', '--data', 'motion:8', '--count', '2', '--work', 'train', '--steps', '1', '--tokens', '1'];
  const { status, out, err } = runCli(['study', ...args, '--batch', '2', ...outputs]);
  expect({ status, err: err.replace(/^(cost|mixing|learned) .*\n/gm, '') }).toEqual({ status: 0, err: '' });
  expect(out).toContain('training step of 2 clips');
  for (const name of ['stem', 'stage 1', 'stage 4', 'head', 'optimizer'])
    expect(out).toMatch(new RegExp(`^${name}: `, 'm'));
  expect(out).toMatch(/^stage 3: the middle token of blocks3\.1 can depend on 100\.0% of the pixels/m);
  const study = JSON.parse(readFileSync(file('study.json'), 'utf8')) as Study;
  expect(study.model.clips.map(({ path: name }) => name)).toEqual([
    'motion clip 2 (downwards)', // drawn, the same each time
    expect.any(String),
  ]);
  expect(study.model.classNames).toContain('upwards');
  expect(study.cost!.ops.some((op) => op.phase === 'backward')).toBe(true);
  expect(study.mixing!.sensitivities).toHaveLength(4);
  const trace = JSON.parse(readFileSync(file('trace.json'), 'utf8')) as { traceEvents: unknown[] };
  expect(trace.traceEvents.length).toBeGreaterThan(study.cost!.ops.length);
  expect(readFileSync(file('page.html'), 'utf8')).toContain('data-mixing="grid"');
});

test('random weights have learned nothing, and that is all that is said', () => {
  const { status, out, err } = runCli(['study', 'quickstart', '--parts', 'learned', '--out', file('random.html')]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toContain('What was learned: nothing yet, the weights are random (give --checkpoint)');
  const page = readFileSync(file('random.html'), 'utf8');
  expect([page.includes('id="network"'), page.includes('id="matrices-view"')]).toEqual([true, false]);
});

test('two checkpoints of one network are studied side by side; another network is refused', () => {
  const classNames = Array.from({ length: 8 }, (_, i) => `class ${i}`);
  const write = (name: string, kind: 'video' | 'image') => {
    const frames = kind === 'image' ? 1 : 16;
    const model = new MorphMLP({ ...VARIANTS['quickstart']!.config, kind, frames });
    const input = inputSpec({ frames, rate: 1, crop: 64, normalisation: NORMALISATION });
    saveWeights(file(name), model, { model: model.config, classNames, input });
    model.dispose();
  };
  ['a', 'b'].forEach((name) => write(`${name}.safetensors`, 'video'));
  write('image.safetensors', 'image');
  const against = (name: string) => {
    const first = ['--checkpoint', file('a.safetensors'), '--parts', 'learned'];
    return runCli(['study', ...first, '--against', file(name), '--out', file('two.html')]);
  };
  expect(against('b.safetensors').status).toBe(0);
  const page = readFileSync(file('two.html'), 'utf8');
  expect(page).toContain(`"checkpoint":"${file('b.safetensors')}"`);
  expect(against('image.safetensors').err).toMatch(
    /--against .*image\.safetensors: expected the network of .*a\.safetensors/,
  );
});

test('parts can be studied separately', () => {
  const { status, out } = runCli([
    'study',
    'quickstart',
    '--parts',
    'mixing',
    '--tokens',
    '1',
    '--out',
    file('mixing.html'),
  ]);
  expect(status).toBe(0);
  expect(out).not.toContain('GFLOP/s');
  const page = readFileSync(file('mixing.html'), 'utf8');
  expect([page.includes('id="mixing"'), page.includes('id="cost"')]).toEqual([true, false]);
  expect(page).toContain('a clip of noise');
});

test.each([
  [[], /^morphmlp: expected a model \(quickstart, .*image-t, .*\) or --checkpoint FILE\n$/],
  [['video-x'], /^morphmlp: video-x: no such file, and no model of this name; did you mean video-/],
  [['video-s', 'image-t'], /^morphmlp: expected one model, got video-s and image-t\n$/],
  [['quickstart', 'nothing.mp4'], /nothing\.mp4: no such file/],
  [['quickstart', '--parts', 'costs'], /Expected some of cost, mixing/],
  [['quickstart', '--parts', 'mixing', '--trace', 't.json'], /--trace is written from what the part cost measures/],
  [['quickstart', '--against', 'b.safetensors'], /--against compares two checkpoints: name the first by --checkpoint/],
  [
    ['--checkpoint', 'a.pth', '--parts', 'cost', '--against', 'b.pth'],
    /--against compares what the part learned finds/,
  ],
  [['quickstart', '--out', 'not/there/page.html'], /--out not\/there\/page\.html: the folder .* does not exist/],
  [['--checkpoint', 'none.safetensors'], /none\.safetensors/],
  [['quickstart', '--data', 'none.csv'], /none\.csv/],
])('study %j is refused in a sentence', (args, message) => {
  const { status, out, err } = runCli(['study', ...args]);
  expect(status).not.toBe(0);
  expect(err).toMatch(message);
  expect({ out, lines: err.trim().split('\n').length }).toEqual({ out: '', lines: 1 });
});

test('a file that is not a video is reported', () => {
  writeFileSync(file('broken.mp4'), 'no video');
  const { status, err } = runCli(['study', 'quickstart', file('broken.mp4'), '--out', file('b.html')]);
  expect(status).toBe(1);
  expect(err).toMatch(/^morphmlp: .*broken\.mp4: /);
});
