import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { runExample as run } from '../support/run_example';

const examples = path.join(__dirname, '..', '..', 'examples');
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-examples-'));
const live = (process.env.LIVE_BYTES = path.join(folder, 'live.json'));
const checkpoint = path.join(folder, 'left-right.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));

/** A picture whose left or right half is white and the other black. */
async function picture(side: 'left' | 'right'): Promise<string> {
  const file = path.join(folder, `${side}.png`);
  const pixels = Buffer.from(
    Array.from({ length: 64 * 64 * 3 }, (_, i) => ((i / 3) % 64 < 32 === (side === 'left') ? 255 : 0)),
  );
  await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).toFile(file);
  return file;
}

const programs = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isFile());

/** The lines of larger programs. */
const LINES: Readonly<Record<string, number>> = { 'serve.ts': 60, 'mnist.ts': 100 };

test.each(programs.map(({ name }) => name).filter((name) => !name.endsWith('.md')))('%s is short', (name) => {
  const lines = readFileSync(path.join(examples, name), 'utf8').trimEnd().split('\n').length;
  expect(lines).toBeLessThan(LINES[name] ?? 40);
});

test('README.md lists every example', () => {
  const page = readFileSync(path.join(examples, 'README.md'), 'utf8');
  const missing = readdirSync(examples).filter((name) => name !== 'README.md' && !page.includes(`](${name})`));
  expect(missing).toEqual([]);
});

describe('a model that train_step.ts saves', () => {
  test('has learned its two classes, in constant memory', async () => {
    const { status, lines, err } = await run('train_step.ts', checkpoint);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const losses = lines.map((line, i) => Number(new RegExp(`^step ${i + 1}  loss (\\d+\\.\\d{3})$`).exec(line)?.[1]));
    expect(losses).toHaveLength(10);
    expect(losses[0]).toBeCloseTo(Math.log(2), 0);
    expect(losses[9]).toBeLessThan(0.2);
    const after = JSON.parse(readFileSync(live, 'utf8')) as number[];
    expect(after).toHaveLength(10);
    expect(new Set(after).size).toBe(1);
  });

  test('is listed by read_checkpoint.ts', async () => {
    const { status, lines } = await run('read_checkpoint.ts', checkpoint);
    expect(status).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^head\.weight {2}F32 \[2, 128\] {2}rms 0\.\d+$/));
    expect(lines.at(-1)).toMatch(/^\d+ tensors, 69\d{4} elements$/);
    expect(lines.length).toBe(Number(lines.at(-1)!.split(' ')[0]) + 1);
  });

  test('classifies pictures in predict_video.ts', async () => {
    const files = [await picture('left'), await picture('right')];
    const { status, lines } = await run('predict_video.ts', checkpoint, ...files);
    expect(status).toBe(0);
    const [left, right] = [lines.slice(0, 3), lines.slice(3)];
    expect(left[0]).toBe(files[0]);
    expect(right[0]).toBe(files[1]);
    for (const [seen, best] of [
      [left, 'left'],
      [right, 'right'],
    ] as const)
      expect(seen[1]).toMatch(new RegExp(`^ {2}[ \\d]{3}\\.\\d%  ${best}$`));
  });
});

test('read_checkpoint.ts reads a PyTorch file', async () => {
  const { status, lines } = await run('read_checkpoint.ts', 'test/fixtures/pytorch/protocol4.pth');
  expect(status).toBe(0);
  expect(lines.at(-1)).toMatch(/^\d+ tensors, \d+ elements$/);
});

test('predict_video.ts says in one sentence what it expects', async () => {
  expect(await run('predict_video.ts')).toMatchObject({
    status: 1,
    err: 'predict_video: expected CHECKPOINT FILE...: weights, then videos or pictures\n',
  });
});

test('own_op.ts finds its gradients right', async () => {
  const { status, lines } = await run('own_op.ts');
  expect(status).toBe(0);
  expect(lines).toEqual(['dx', 'dw', 'dv'].map((name) => expect.stringMatching(`^${name}  right  largest difference`)));
});

test('vae.ts learns its pictures, and its memory does not grow', async () => {
  const { status, lines, err } = await run('vae.ts');
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const found = lines.map((line) => /^step \d+  loss (\d+\.\d\d)  (\d+) bytes live$/.exec(line)!.slice(1).map(Number));
  expect(found).toHaveLength(4);
  expect(found[3]![0]!).toBeLessThan(12); // 44 at the start; 2.8 are the entropy of 16 pictures
  expect(new Set(found.map(([, live]) => live)).size).toBe(1);
});
