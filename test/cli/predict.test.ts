import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { inputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { saveWeights } from '../../src/train/state';
import { allFrames, motionJpeg, TALL, WIDE, writeNumbered, writePictures } from '../data/video_support';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const NAMES = ['ants', 'bees', 'crows'];
const predict = (inputs: string[], args: string[] = [], input?: Buffer) =>
  runCli(['predict', ...inputs, '--checkpoint', at('model.safetensors'), ...args], input, { TMPDIR: at('tmp') });

interface Line {
  input: string;
  views: number;
  guesses: { label: string; probability: number }[];
  frames: { number: number; timestamp: number }[][];
}
const lines = (out: string): Line[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

function saveModel(file: string, kind: 'video' | 'image'): void {
  seedInit(3);
  const model = new MorphMLP({
    ...VARIANTS['quickstart']!.config,
    kind,
    frames: kind === 'image' ? 1 : 16,
    numClasses: NAMES.length,
  });
  const input = inputSpec({ frames: model.config.frames, rate: 1, crop: 48, normalisation: NORMALISATION });
  saveWeights(file, model, { model: model.config, classNames: NAMES, input });
  model.dispose();
}

describe('predict', () => {
  beforeAll(async () => {
    saveModel(at('model.safetensors'), 'video');
    saveModel(at('image.safetensors'), 'image');
    mkdirSync(at('frames'));
    mkdirSync(at('mixed'));
    mkdirSync(at('tmp'));
    await writeNumbered(at('clip.mp4'), 16);
    await writePictures(at('clip.mp4'), at('frames'), '{:d}.png');
    copyFileSync(at('clip.mp4'), at('mixed/b.mp4'));
    copyFileSync(at('frames/3.png'), at('mixed/a.png'));
    writeFileSync(at('mixed/broken.mp4'), 'no video');
    writeFileSync(at('mixed/notes.txt'), 'left alone');
    writeFileSync(at('not.png'), 'no picture');
  });

  const guessesOf = (inputs: string[], args: string[] = [], input?: Buffer) =>
    lines(predict(inputs, ['--json', ...args], input).out)[0]!.guesses;

  test('a video, its frames in a folder and its bytes on standard input are the same clip', async () => {
    const video = guessesOf([at('clip.mp4')]);
    const raw = readFileSync(at('clip.mp4'));
    const rgb = Buffer.concat((await allFrames(at('clip.mp4'))).frames);
    expect(guessesOf(['-'], [], raw)).toEqual(video);
    const others = [
      guessesOf([at('frames')], ['--frames-as-clip']),
      guessesOf(['-'], ['--frame-size', `${WIDE}x${TALL}`], rgb),
      guessesOf(['-'], [], await motionJpeg(at('clip.mp4'))),
    ];
    for (const guesses of others)
      for (const { label, probability } of video)
        expect(guesses.find((g) => g.label === label)!.probability).toBeCloseTo(probability, 2);
  });

  test('JSON lists number and time of the frames of each view', () => {
    const { frames } = lines(predict([at('clip.mp4')], ['--json', '--clips', '2']).out)[0]!;
    const whole = Array.from({ length: 16 }, (_, number) => number);
    expect(frames.map((view) => view.map(({ number }) => number))).toEqual([whole, whole]);
    for (const { number, timestamp } of frames[1]!) expect(timestamp).toBeCloseTo(number / 30, 6);
  });

  test('a folder is expanded to its videos and pictures; broken files are reported and the others classified', () => {
    const { status, out, err } = predict([at('mixed')], ['--top', '2', '--sheet', at('sheet.png')]);
    expect(status).toBe(1);
    expect(err).toMatch(/mixed\/broken.mp4: it is empty, cut short or no video/);
    expect(out.split('\n')[0]).toMatch(/^input +class +probability$/);
    expect(out).toMatch(/mixed\/a\.png +\w+ +\d+\.\d%\n +\w+ +\d+\.\d%\n.*mixed\/b\.mp4/);
    expect(out).not.toMatch(/notes|broken/);
  });

  test('without a decoder each video is reported, and pictures are classified', () => {
    const args = ['predict', at('mixed'), at('clip.mp4'), '--checkpoint', at('model.safetensors')];
    const { status, out, err } = runCli(args, undefined, { MORPHMLP_FFMPEG: '/nowhere/ffmpeg' });
    const problem = 'MORPHMLP_FFMPEG is /nowhere/ffmpeg, but /nowhere/ffprobe does not exist';
    const said = err.trim().split('\n');
    const named = ['mixed/b.mp4', 'mixed/broken.mp4', 'clip.mp4'].map((name) => `morphmlp: ${at(name)}: ${problem}`);
    const left = `note: ${at('mixed')}: left out: .txt: 1 file, neither picture nor video (notes.txt)`;
    expect(said).toEqual([left, ...named]);
    expect(out).toContain('a.png');
    expect(status).toBe(1);
  });

  test('the contact sheet shows the input frames of the network', async () => {
    predict([at('clip.mp4')], ['--sheet', at('one.png')]);
    const { width, height } = await sharp(at('one.png')).metadata();
    expect(width).toBeGreaterThan(16 * 96);
    expect(height).toBeGreaterThan(96);
  });

  test('views are averaged as logits, and their number is printed', () => {
    const one = lines(predict([at('clip.mp4')], ['--json', '--top', '3']).out)[0]!;
    const many = lines(predict([at('clip.mp4')], ['--json', '--top', '3', '--clips', '2', '--crops', '3']).out)[0]!;
    expect([one.views, many.views]).toEqual([1, 6]);
    expect(many.guesses.reduce((sum, g) => sum + g.probability, 0)).toBeCloseTo(1, 5);
    expect(many.guesses).not.toEqual(one.guesses);
  });

  test('an image model sees pictures, and the middle frame of a video', () => {
    const image = (input: string) =>
      lines(runCli(['predict', input, '--checkpoint', at('image.safetensors'), '--json']).out)[0]!.guesses;
    const middle = image(at('clip.mp4'));
    const same = image(at('frames/8.png'));
    for (const { label, probability } of middle)
      expect(same.find((g) => g.label === label)!.probability).toBeCloseTo(probability, 2);
  });

  test.each([
    [['nowhere.mp4'], [], /^morphmlp: nowhere.mp4: no such file or folder$/m],
    [['-'], [], /standard input was empty/],
    [['-'], ['--frame-size', '8x8'], /^morphmlp: standard input: 5 bytes are not a whole number of 8x8 frames/m],
    [['-'], ['--frame-size', 'big'], /Expected width and height such as 320x240/],
    [['@not.png'], [], /not.png: it is not a picture that can be read: /],
    [['@clip.mp4'], ['--sheet', 'sheet.jpg'], /--sheet sheet.jpg: expected a name that ends in .png/],
    [['@clip.mp4'], ['--sheet', 'no/such/sheet.png'], /the folder .*no\/such does not exist/],
    [['@clip.mp4'], ['--frame-size', '8x8'], /--frame-size is for frames on standard input/],
    [['@mixed'], ['--frames-as-clip', '--crops', '2'], /--crops/],
  ])('%p %p is refused in one sentence', (inputs, args, message) => {
    const input = args[0] === '--frame-size' ? Buffer.from('12345') : Buffer.alloc(0);
    const { status, err } = predict(
      inputs.map((name) => name.replace('@', `${folder}/`)),
      args,
      input,
    );
    expect(status).not.toBe(0);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(at('tmp'))).toEqual([]);
  });
});
