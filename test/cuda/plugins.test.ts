import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { benchCase, verifyVariant } from '../../src/bench/kernels/measure';
import type { KernelCase } from '../../src/bench/kernels/kernel_case';
import { verifyModel } from '../../src/bench/models/check';
import { naiveVariant, OURS, pluginVariant } from '../../src/bench/kernels/variant';
import { linearCase } from '../../src/bench/op_cases/linear';
import { EDGE_SHAPES } from '../../src/bench/kernels/edge_shapes';
import { verify } from '../../src/bench/kernels/verify';
import type { MorphMlpConfig } from '../../src/models/config';
import { openPlugin, PLUGGABLE } from '../../src/core/plugins';
import { readMetrics } from '../../src/report/jsonl';
import { native } from '../../src/core/native';
import { memory } from '../../src/core/runtime';
import { cublasLtStandIn, faultyDevicePlugin, faultyPlugin, NVCC } from '../support/plugins';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => void (process.env['NVCC'] = NVCC));

const small: KernelCase = { op: 'linear', stage: 1, timed: linearCase([40], 24, 20), macs: 40 * 24 * 20 };
const plugin = (fault: string) => openPlugin(faultyDevicePlugin(folder, fault));
const check = (file: string) => runCli(['kernel', 'check', file, '--timeout', '200']);

test.each<[string, RegExp]>([
  // Relative to the sum of absolute values, which is a little more than the result.
  ['zeros', /the output of .* is wrong: relative error 8\.6e-1/],
  ['unwritten', /the output of .* is wrong/],
  ['off by one row', /the output of .* is wrong/],
  ['writes past', /forward of linear: wrote behind its tensor y/],
  ['writes before', /forward of linear: wrote before its tensor y/],
  ['writes past workspace', /forward of linear: wrote behind its workspace of 8 bytes/],
  ['writes input', /wrote to its input x/],
  ['default stream', /it launches into the default stream, not into that of the call/],
  ['wrong gradient', /gradients of .* are wrong/],
  ['fails', /forward of linear: the moon is full/],
])('a CUDA kernel with the fault %s is caught', (fault, message) => {
  const { live } = memory('cuda');
  expect(() => verifyVariant(small, 24, pluginVariant(plugin(fault)), { seed: 3 })).toThrow(message);
  expect(memory('cuda').live).toBe(live);
});

test('one that dereferences a device pointer on the host crashes its own process, and is reported', () => {
  const { status, err } = check(faultyDevicePlugin(folder, 'on host'));
  expect(err).toMatch(/crashed: accessed memory out of bounds \(SIGSEGV\) while verifying .*, forward/);
  expect(status).toBe(1);
});

test('a kernel of one’s own is ranked beside ours and a naive one in all regimes, and in a model', () => {
  const opened = plugin('none');
  expect(opened).toMatchObject({ op: 'linear', device: 'cuda', flags: '-O1', backward: true });
  const options = {
    rounds: 3,
    clock: 'wall',
    check: true,
    seed: 5,
    caches: ['cold'],
    launches: ['launched', 'graph'],
  } as const;
  const rows = benchCase(small, [OURS, pluginVariant(opened), naiveVariant('linear')], options);
  expect([...new Set(rows.map(({ variant }) => variant))]).toEqual(['morphmlp', 'none', 'naive']);
  expect(rows).toHaveLength(12);
  const model: MorphMlpConfig = {
    ...{ kind: 'image', layers: [1, 1, 1, 1], frames: 1, embedDims: [8, 8, 12, 12], segmentDim: [4, 4, 4, 4] },
    ...{ mlpRatio: 3, qkvBias: true, dropPath: 0, numClasses: 5 },
  };
  expect(verifyModel(model, 32, [opened], 9).logits).toBeLessThan(1e-5);
});

/** A few steps of a small video model. */
const train = (out: string, ...more: string[]) =>
  runCli([
    ...['train', '--preset', 'quickstart', '--data', 'motion:8', '--val', 'motion:4', '--crop', '32', '--epochs', '1'],
    ...['--batch-size', '4', '--out', path.join(folder, out), ...more],
    ...['MORPH.EMBED_DIMS', '[8,8,12,12]', 'MORPH.SEGMENT_DIM', '[4,4,4,4]'],
  ]);

test('one is trained with from the command line, to the losses of the CPU without it', () => {
  const file = faultyDevicePlugin(folder, 'none');
  const { status, out, err } = train('on_device', '--device', 'cuda', '--plugin', file);
  expect({ status, err }).toMatchObject({ status: 0 });
  expect(err).toMatch(/note: none\.so replaces linear, so blocks run op by op/);
  expect(out).toMatch(/ · {2}cuda \(/);
  expect(readFileSync(path.join(folder, 'on_device', 'config.yaml'), 'utf8')).toContain(`PLUGINS: [${file}]`);
  expect(train('on_cpu').status).toBe(0);
  const losses = (run: string) => {
    const { records } = readMetrics(path.join(folder, run, 'metrics.jsonl'));
    return records.filter(({ kind }) => kind === 'step').map(({ loss }) => Number(loss));
  };
  const expected = losses('on_cpu');
  expect(expected).toHaveLength(2);
  losses('on_device').forEach((loss, i) => expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-5));
});

test('a wrong one is refused before anything is trained', () => {
  const file = faultyDevicePlugin(folder, 'wrong gradient');
  const { status, err } = train('refused', '--device', 'cuda', '--plugin', file);
  expect(err).toMatch(/wrong_gradient\.so: the model .* gives other results with the plugin: .*the gradient of .* by/);
  expect({ status, made: existsSync(path.join(folder, 'refused')) }).toEqual({ status: 1, made: false });
});

test.each(PLUGGABLE)('the naive kernel of %s is right on the device', (op) => {
  for (const c of EDGE_SHAPES[op].slice(0, 3)) verify(c, 1, naiveVariant(op));
});

test('a kernel is refused where it does not run', () => {
  const [cuda, cpu] = [faultyDevicePlugin(folder, 'none'), faultyPlugin(folder, 'unsupported')];
  const bench = (...args: string[]) => runCli(['bench', 'kernels', ...args]);
  expect(bench('--plugin', cuda).err).toMatch(/none\.so.*: it is a kernel for CUDA; --device cuda runs it/);
  expect(bench('--device', 'cuda', '--plugin', cpu).err).toMatch(/it is a kernel for the CPU; --device cpu runs it/);
});

test('what kernel new --lang cuda writes compiles and is right', () => {
  expect(runCli(['kernel', 'new', 'my_gelu', '--lang', 'cuda', '--out', folder])).toMatchObject({ status: 0 });
  const { status, err } = runCli(['kernel', 'build', path.join(folder, 'my_gelu.cu')]);
  expect({ status, err }).toMatchObject({ status: 0 });
  const variant = pluginVariant(openPlugin(path.join(folder, 'my_gelu.so')));
  for (const c of EDGE_SHAPES.gelu) verify(c, 1, variant);
});

/** A stand-in for cuBLASLt, which computes on the host: it shows that the arguments of the calls are right. */
const onEmulation = native.cudaDevice().startsWith('emulated') ? test : test.skip;

onEmulation('cuBLASLt computes the FCs as a baseline, forward and gradients', () => {
  const run = path.join(__dirname, '..', 'support', 'run_blas.ts');
  const env = { ...process.env, MORPHMLP_CUBLASLT: cublasLtStandIn(folder) };
  const out = execFileSync(process.execPath, ['--import', 'tsx', run, 'cuda'], { env, encoding: 'utf8' });
  expect(out).toMatch(
    /^linear 7 cuBLASLt 12\.3\.4 \(.*cublas_lt\.so\)\ntemporal_fc [1-9]\d* .*\nmorph_fc [1-9]\d* .*\n$/,
  );
});
