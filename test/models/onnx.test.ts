import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { noGrad } from '../../src/core/autograd';
import { inputSpec } from '../../src/data/input_spec';
import * as library from '../../src';
import { packageVersion } from '../../src/core/version';
import { readFields } from '../../src/formats/protobuf';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { exportOnnx } from '../../src/models/onnx';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The logits that ONNX Runtime gives, in a process of its own: its WebAssembly does not start in a test's context. */
function runOnnx(file: string, x: Float32Array, shape: readonly number[]): { dims: number[]; data: number[] } {
  const runner = path.join(__dirname, '..', 'support', 'run_onnx.cjs');
  const input = JSON.stringify({ file, x: [...x], shape });
  return JSON.parse(
    execFileSync(process.execPath, [runner], { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'pipe'] }).toString(),
  );
}

const SMALL = {
  ...({ layers: [1, 1, 2, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9] } as const),
  ...{ numClasses: 5, mlpRatio: 3, qkvBias: true, dropPath: 0.1 },
};

function filled(config: MorphMlpConfig): MorphMLP {
  const model = new MorphMLP(config).eval() as MorphMLP;
  model.namedTensors().forEach(([name, t], i) => {
    const scale = t.ndim > 1 ? Math.sqrt((3 * t.shape[0]!) / t.size) : 0.3;
    t.copyFrom(uniform(i, t.size, scale, /norm\w*\.weight|running_var/.test(name) ? 1 : 0));
  });
  return model;
}

const NORMALISATION = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };

const exported = (network: MorphMLP, crop: number) => ({
  network,
  input: inputSpec({ frames: network.config.frames, rate: 2, crop, normalisation: NORMALISATION }),
  classNames: Array.from({ length: network.config.numClasses }, (_, i) => `class ${i}`),
});

function expectSame(model: MorphMLP, file: string, shape: number[]): void {
  const x = uniform(
    3,
    shape.reduce((a, b) => a * b, 1),
  );
  const ours = scope(() => noGrad(() => model.forward(tensor(x, shape)).floats()));
  const { dims, data } = runOnnx(file, x, shape);
  expect(dims).toEqual([shape[0], model.config.numClasses]);
  expect(relativeError(data, ours)).toBeLessThan(1e-5);
}

test.each([
  ['video of 16 frames, whole chunks and padded ones', { ...SMALL, kind: 'video', frames: 16 }, 40],
  ['video of 5 frames, without biases in the branches', { ...SMALL, kind: 'video', frames: 5, qkvBias: false }, 64],
  ['image', { ...SMALL, kind: 'image', frames: 1 }, 50],
] as [string, MorphMlpConfig, number][])(
  '%s: ONNX Runtime gives our logits, for one and for three',
  (name, config, size) => {
    const model = filled(config);
    const file = path.join(folder, `${name.split(' ')[0]}${config.frames}.onnx`);
    exportOnnx(exported(model, size), file, { version: '1' });
    const shape = config.kind === 'image' ? [3, size, size] : [3, config.frames, size, size];
    expectSame(model, file, [1, ...shape]);
    expectSame(model, file, [3, ...shape]);
    model.dispose();
  },
);

test('image T whole, at 96 x 96', () => {
  const model = filled(VARIANTS['image-t']!.config);
  const file = path.join(folder, 't.onnx');
  exportOnnx(exported(model, 96), file, { version: '1' });
  expectSame(model, file, [1, 3, 96, 96]);
  model.dispose();
});

describe('the file', () => {
  const model = filled({ ...SMALL, kind: 'image', frames: 1 });
  const file = path.join(folder, 'file.onnx');
  const text = (value: unknown) => (value as Buffer).toString();
  const graphOf = (at: string) =>
    readFields(readFields(readFileSync(at)).find(({ field }) => field === 7)!.value as Buffer);
  const all = (fields: ReturnType<typeof readFields>, field: number) =>
    fields.filter((f) => f.field === field).map((f) => f.value as Buffer);

  test("keeps the checker's rules: every name once, every input made before it is used, IR version and opset", () => {
    exportOnnx(exported(model, 50), file, { version: '1' });
    const whole = readFields(readFileSync(file));
    expect(whole.find(({ field }) => field === 1)!.value).toBe(8);
    expect(readFields(all(whole, 8)[0]!).map(({ value }) => (Buffer.isBuffer(value) ? text(value) : value))).toEqual([
      '',
      17,
    ]);
    const graph = graphOf(file);
    const weights = all(graph, 5).map((weight) => text(readFields(weight).find(({ field }) => field === 8)!.value));
    const known = new Set(['pixels', ...weights]);
    expect(known.size).toBe(weights.length + 1);
    const names = new Set<string>();
    for (const node of all(graph, 1).map(readFields)) {
      for (const input of all(node, 1).map(text))
        expect({ input, known: known.has(input) }).toEqual({ input, known: true });
      const [name, output] = [text(all(node, 3)[0]), text(all(node, 2)[0])];
      expect([names.has(name), known.has(output)]).toEqual([false, false]);
      names.add(name);
      known.add(output);
    }
    expect(known.has('logits')).toBe(true);
    for (const key of model.stateDict().keys()) expect({ key, there: known.has(key) }).toEqual({ key, there: true });
  });

  test('holds the input specification and the class names in its metadata', () => {
    exportOnnx(exported(model, 50), file, { version: '1' });
    const pairs = all(readFields(readFileSync(file)), 14).map((pair) =>
      readFields(pair).map(({ value }) => text(value)),
    );
    const metadata = Object.fromEntries(pairs as [string, string][]);
    expect(Object.keys(metadata)).toEqual(['input', 'classNames']);
    expect(JSON.parse(metadata['classNames']!)).toEqual(['class 0', 'class 1', 'class 2', 'class 3', 'class 4']);
    expect(JSON.parse(metadata['input']!)).toEqual({
      ...{ frames: 1, rate: 2, crop: 50, sampling: 'dense', targetFps: 30, offset: true, testScale: 50 },
      ...{ ignoreSar: false, channelOrder: 'rgb', normalisation: NORMALISATION },
    });
  });

  test('puts weights that protobuf cannot hold into a second file, each at a page of its own', () => {
    exportOnnx(exported(model, 50), file, { version: '1', external: 1000 });
    expect(statSync(file).size).toBeLessThan(100_000);
    expectSame(model, file, [2, 3, 50, 50]);
    exportOnnx(exported(model, 50), file, { version: '1' });
    expect(existsSync(`${file}.data`)).toBe(false);
  });
});

describe('morphmlp export', () => {
  const cli = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  const weights = path.join(__dirname, '..', 'fixtures', 'reference', 'checkpoints', 'tiny_video16.pth');
  const converted = path.join(folder, 'tiny.safetensors');
  const run = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });

  test('exports a converted checkpoint, and reports errors in one line', () => {
    expect(run('convert', weights, converted, '--segment-dim', '8,8,16,4').status).toBe(0);
    const out = path.join(folder, 'tiny.onnx');
    expect(run('export', converted, out, '--size', '64').stdout).toMatch(
      /: 16 frames of 64x64, 8 classes, opset 17\nwritten to .*MB\n$/,
    );
    expect(existsSync(out)).toBe(true);
    expect(run('export', converted, out, '--opset', '16').stderr).toBe(
      'morphmlp: --opset 16: expected 17, the version that is written\n',
    );
    expect(run('export', converted, 'x.bin').stderr).toBe('morphmlp: x.bin: expected a name that ends in .onnx\n');
    expect(run('export', path.join(folder, 'none.safetensors'), out).stderr).toMatch(/none\.safetensors/);
  });

  test('writes the bytes of exportOnnx of the package', () => {
    const [ours, theirs] = ['ours.onnx', 'theirs.onnx'].map((name) => path.join(folder, name)) as [string, string];
    expect(run('convert', weights, converted, '--segment-dim', '8,8,16,4').status).toBe(0);
    expect(run('export', converted, theirs, '--size', '64').status).toBe(0);
    const model = library.models.load(converted);
    const input = { ...model.input, crop: 64, testScale: 64 };
    library.exportOnnx({ ...model, input }, ours);
    expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
    const producer = readFields(readFileSync(ours)).filter(({ field }) => field === 2 || field === 3);
    expect(producer.map(({ value }) => (value as Buffer).toString())).toEqual(['morphmlp', packageVersion()]);
    expect(() => library.exportOnnx(model, ours, { opset: 16 } as object)).toThrow(
      "exportOnnx: unknown option 'opset', expected version, external",
    );
    model.network.dispose();
  });
});
