import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { backward, noGrad } from '../../src/core/autograd';
import { EDGE_SHAPES } from '../../src/bench/kernels/edge_shapes';
import type { OpCase } from '../../src/bench/op_cases/case';
import { BF16_TERMS } from '../../src/bench/op_cases/bf16';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { create } from '../../src/models';
import { cast } from '../../src/ops/cast';
import { gelu } from '../../src/ops/gelu';
import { linear } from '../../src/ops/linear';
import { naivePlugin, openPlugin, pluginFor, PLUGGABLE, withPlugin, type PluggableOp } from '../../src/core/plugins';
import { memory, setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { fixturePlugin } from '../support/plugins';
import { runBf16Cases } from '../support/run_bf16_cases';
import { runCases } from '../support/run_cases';

const replaced = (op: PluggableOp, c: OpCase): OpCase => ({
  ...c,
  forward: (inputs) => withPlugin(naivePlugin(op), () => c.forward(inputs)),
});

for (const op of PLUGGABLE)
  runCases(
    `naive ${op}`,
    EDGE_SHAPES[op].map((c) => replaced(op, c)),
  );

const IN_BF16 = PLUGGABLE.filter((op) => naivePlugin(op).dtypes.includes('bf16'));

test('the naive kernels of the fused ops and conv3d take bf16', () => {
  expect(IN_BF16).toEqual(['norm_mlp', 'norm_temporal', 'norm_spatial', 'conv3d']);
});

for (const op of IN_BF16)
  runBf16Cases(
    `naive ${op}`,
    EDGE_SHAPES[op].map((c) => replaced(op, c)),
    BF16_TERMS[op as keyof typeof BF16_TERMS],
  );

test('a library of version 1 of the header is loaded, in f32 and without parameters', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
  const old = openPlugin(fixturePlugin(folder, 'version_1', 'gelu'));
  rmSync(folder, { recursive: true });
  expect(old).toMatchObject({ name: 'old', op: 'gelu', dtypes: ['f32'], parameters: [], backward: true });
  const run = (dtype: 'f32' | 'bf16') =>
    scope(() =>
      withPlugin(old, () => {
        const x = tensor(Float32Array.of(-1, 0, 2), [3]);
        return Array.from(gelu(dtype === 'f32' ? x : cast(x, 'bf16')).floats());
      }),
    );
  const [low, zero, high] = run('f32');
  expect(low).toBeCloseTo(-0.15865525, 6);
  expect(zero).toBe(0);
  expect(high).toBeCloseTo(1.9544997, 6);
  expect(() => run('bf16')).toThrow(/forward of gelu: it does not take activations in bf16/);
});

/** A naive BLAS: tests our calls on machines without a BLAS library. */
test('a BLAS library computes the FCs too, forward and gradients', () => {
  const library = path.join(mkdtempSync(path.join(os.tmpdir(), 'morphmlp-')), 'blas.so');
  const source = path.join(__dirname, '..', 'fixtures', 'plugins', 'blas.c');
  execFileSync('cc', ['-O1', '-shared', '-fPIC', source, '-o', library]);
  const env = { ...process.env, MORPHMLP_BLAS: library };
  const run = path.join(__dirname, '..', 'support', 'run_blas.ts');
  const out = execFileSync(process.execPath, ['--import', 'tsx', run], { env, encoding: 'utf8' });
  rmSync(path.dirname(library), { recursive: true });
  expect(out).toMatch(/^linear 7\ntemporal_fc [1-9]\d*\nmorph_fc [1-9]\d*\n$/);
});

const SMALL = { frames: 4, layers: [1, 1, 1, 1], embedDims: [28, 56, 84, 196], numClasses: 5, dropPath: 0 } as const;

/** Logits and gradients of a small video model, with these ops replaced by naive ones. */
function logitsAndGradients(ops: readonly PluggableOp[]): Float32Array[] {
  const model = create('video-s', SMALL).eval();
  model.parameters().forEach((p, i) => p.copyFrom(uniform(i, p.size, 0.3)));
  const run = () =>
    scope(() => {
      const x = tensor(uniform(7, 3 * 4 * 64 * 64), [1, 3, 4, 64, 64]);
      const y = model.forward(x);
      backward(y, tensor(uniform(8, 5), [1, 5]));
      return [y.floats(), noGrad(() => model.forward(x)).floats(), ...model.parameters().map((p) => p.grad!.floats())];
    });
  const results = ops.reduce((body: () => Float32Array[], op) => () => withPlugin(naivePlugin(op), body), run)();
  model.dispose();
  return results;
}

test('a model computes the same with each op replaced, and with all of them', () => {
  const expected = logitsAndGradients([]);
  for (const ops of [...PLUGGABLE.map((op) => [op]), PLUGGABLE]) {
    const live = memory().live;
    const found = logitsAndGradients(ops);
    found.forEach((values, i) => expect(relativeError(values, expected[i]!)).toBeLessThan(2e-5));
    expect(memory().live).toBe(live);
    // A different summation order shows that the ops were replaced.
    expect(found.some((values, i) => values.some((v, j) => v !== expected[i]![j]))).toBe(true);
  }
});

test('naive gradients have the same bits for any number of threads', () => {
  const before = threads();
  const [one, three] = [1, 3].map((n) => {
    setThreads(n);
    return logitsAndGradients(PLUGGABLE);
  });
  setThreads(before);
  expect(one).toEqual(three);
});

test('withPlugin replaces the op only while its body runs', () => {
  const plugin = naivePlugin('linear');
  withPlugin(plugin, () => expect(pluginFor('linear')).toBe(plugin));
  expect(pluginFor('linear')).toBeUndefined();
  expect(() => withPlugin(plugin, () => linear(zeros([2, 3]), zeros([4, 2]), null))).toThrow(/linear: x must end in 2/);
  expect(pluginFor('linear')).toBeUndefined();
});

test.each([
  ['/no/such/plugin.so', /^\/no\/such\/plugin\.so: .*cannot open shared object file|no such file/],
  [__filename, /^.*plugins\.test\.ts: .*(invalid ELF header|not a mach-o)/],
])('openPlugin of %s throws one clear sentence', (file, message) => {
  expect(() => openPlugin(file)).toThrow(message);
});
