/** Semantic FPN as ONNX, run by ONNX Runtime: every logit and every pixel's class are ours. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { uniform } from '../../src/bench/op_cases/random';
import { noGrad } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { inputSpec } from '../../src/data/input_spec';
import { MorphMLP } from '../../src/models/morphmlp';
import { exportOnnx } from '../../src/models/onnx';
import { SemanticFpn } from '../../src/models/semantic_fpn';
import { resize } from '../../src/ops/resize';
import { permute } from '../../src/ops/permute';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CONFIG = {
  ...({ layers: [1, 1, 1, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9], kind: 'image' } as const),
  ...{ numClasses: 5, mlpRatio: 3, qkvBias: true, dropPath: 0.1, frames: 1 },
};

const model = new SemanticFpn({ ...CONFIG, task: 'segment' }).eval() as SemanticFpn;
model.namedTensors().forEach(([name, t], i) => {
  const fan = t.size / t.shape[0]!;
  const scale = t.ndim > 1 ? Math.sqrt(3 / fan) : 0.3;
  t.copyFrom(uniform(i, t.size, scale, /norm\w*\.weight|running_var/.test(name) ? 1 : 0));
});
afterAll(() => model.dispose());

const exported = (crop: number) => ({
  network: model,
  input: inputSpec({ frames: 1, rate: 1, crop, normalisation: { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] } }),
  classNames: ['a', 'b', 'c', 'd', 'e'],
});

function runOnnx(file: string, x: Float32Array, shape: readonly number[]): { dims: number[]; data: number[] } {
  const runner = path.join(__dirname, '..', 'support', 'run_onnx.cjs');
  const input = JSON.stringify({ file, x: [...x], shape });
  return JSON.parse(
    execFileSync(process.execPath, [runner], { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'pipe'] }).toString(),
  );
}

/** Logits [B, classes, size, size], as the masks' loss reads them. */
const ours = (x: Float32Array, batch: number, size: number): Float32Array =>
  scope(() =>
    noGrad(() => {
      const logits = model.forward(tensor(x, [batch, 3, size, size]));
      return permute(resize(logits, [size, size], 'bilinear'), [0, 3, 1, 2]).floats();
    }),
  );

// At 64 pixels each level has twice the side of the next; at 50 and 77 some sides are odd and round up.
test.each([
  [1, 64],
  [2, 50],
  [2, 77],
])('%i pictures of %i pixels a side', (batch, size) => {
  const [logits, classes] = [path.join(folder, `${size}.onnx`), path.join(folder, `${size}_classes.onnx`)];
  exportOnnx(exported(size), logits);
  exportOnnx(exported(size), classes, { argmax: true });
  const x = uniform(batch, batch * 3 * size * size);
  const want = ours(x, batch, size);
  const { dims, data } = runOnnx(logits, x, [batch, 3, size, size]);
  expect(dims).toEqual([batch, 5, size, size]);
  const largest = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  expect(largest).toBeGreaterThan(0.1);
  const worst = want.reduce((most, v, i) => (Number.isNaN(data[i]) ? NaN : Math.max(most, Math.abs(v - data[i]!))), 0);
  expect(worst / largest).toBeLessThan(1e-5);
  if (batch === 1) return;
  const found = runOnnx(classes, x, [batch, 3, size, size]);
  expect(found.dims).toEqual([batch, size, size]);
  const area = size * size;
  found.data.forEach((label, i) => {
    const at = (c: number): number => want[(Math.floor(i / area) * 5 + c) * area + (i % area)]!;
    expect(at(label)).toBeGreaterThanOrEqual(Math.max(...[0, 1, 2, 3, 4].map(at)) - 1e-5 * largest);
  });
  expect(new Set(found.data).size).toBeGreaterThan(1);
});

test('argmax of a classifier is refused', () => {
  const network = new MorphMLP(CONFIG);
  expect(() => exportOnnx({ ...exported(32), network }, path.join(folder, 'no.onnx'), { argmax: true })).toThrow(
    'argmax is of models that segment pictures; this one classifies clips',
  );
  network.dispose();
});
