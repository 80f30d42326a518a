import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { releaseGraph } from '../../src/core/autograd';
import { loadAddon } from '../../src/core/addon_path';
import { liveTensorReport, liveTensors, trackLiveTensors } from '../../src/core/live_tensors';
import { Linear } from '../../src/nn';
import { mul } from '../../src/ops';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';

let live = 0;
beforeEach(() => {
  live = memory().live;
  trackLiveTensors(true);
});
afterEach(() => {
  trackLiveTensors(false);
  expect(memory().live).toBe(live);
});

/** The line of this file at which it is called, as reports name it, and one further down for `after`. */
function here(after = 0): string {
  const line = Number(/live_tensors\.test\.ts:(\d+)/.exec((new Error().stack ?? '').split('\n')[2] ?? '')?.[1]);
  return `test/core/live_tensors.test.ts:${line + after}`;
}

const dispose = (...tensors: Tensor[]) => tensors.forEach((t) => t.dispose());

test('live tensors are grouped by the line that made them, the most bytes first', () => {
  const [small, large] = [here(1), here(2)];
  const a = zeros([10]);
  const b = [1, 2, 3].map((n) => zeros([100, n]));
  expect(liveTensors()).toEqual([
    { op: 'zeros', line: large, count: 3, bytes: 2400 },
    { op: 'zeros', line: small, count: 1, bytes: 40 },
  ]);
  expect(liveTensorReport().split('\n')).toEqual([
    'live tensors: 2440 bytes in 4',
    `          2400 bytes in 3: zeros at ${large}`,
    `            40 bytes in 1: zeros at ${small}`,
  ]);
  dispose(a, ...b);
  expect(liveTensorReport()).toBe('live tensors: 0 bytes in 0');
});

test('outputs have the name of their op; freed tensors are not listed; a view counts as its tensor', () => {
  const line = here(2);
  const kept = scope(() => {
    const y = mul(mul(tensor([1, 2, 3]), 2), 3);
    return y.view([3, 1]);
  });
  expect(liveTensors()).toEqual([{ op: 'mul', line, count: 1, bytes: 12 }]);
  dispose(kept);
  expect(liveTensors()).toEqual([]);
});

test('tensors made in a layer have the lines of the layer and of its caller', () => {
  const layer = new Linear(4, 2);
  trackLiveTensors(true);
  const line = here(1);
  const y = scope(() => layer.forward(zeros([3, 4])));
  const made = liveTensors().filter(({ op }) => op === 'linear');
  expect(made).toEqual([
    { op: 'linear', line: expect.stringMatching(/^src\/nn\/\w+\.ts:\d+, called from /), count: 1, bytes: 24 },
  ]);
  expect(made[0]!.line.endsWith(line)).toBe(true);
  releaseGraph(y);
  dispose(y);
  layer.dispose();
});

test('freed tensors are not reported, however many', () => {
  const kept = zeros([1]);
  for (let i = 0; i < 5000; i++) zeros([1]).dispose();
  expect(liveTensors()).toMatchObject([{ count: 1, bytes: 4 }]);
  dispose(kept);
});

test('when off, nothing is recorded, and liveTensors says how to turn it on', () => {
  trackLiveTensors(false);
  const unseen = zeros([1]);
  expect(() => liveTensors()).toThrow('tracking is off; call trackLiveTensors(true) or set MORPHMLP_DEBUG_MEMORY=1');
  trackLiveTensors(true);
  expect(liveTensors()).toEqual([]);
  dispose(unseen);
});

/** Runs a program against dist/ with MORPHMLP_DEBUG_MEMORY=1; returns its stderr. */
function report(program: string, ...flags: string[]): string {
  const env = { ...process.env, MORPHMLP_ADDON: loadAddon().file, MORPHMLP_DEBUG_MEMORY: '1' };
  const run = spawnSync(process.execPath, [...flags, '-e', program], {
    cwd: path.join(__dirname, '..', '..'),
    env,
    encoding: 'utf8',
  });
  expect({ status: run.status, stdout: run.stdout }).toEqual({ status: 0, stdout: '' });
  return run.stderr;
}

test('MORPHMLP_DEBUG_MEMORY=1 prints the report at the end', () => {
  const program = `const m = require('./dist');\nglobalThis.a = m.zeros([5]);\nm.zeros([7]).dispose();\nglobalThis.b = m.add(a, 1)`;
  expect(report(program)).toBe(
    'live tensors: 40 bytes in 2\n            20 bytes in 1: zeros at [eval]:2\n            20 bytes in 1: add at [eval]:4\n',
  );
});

test('collected tensors are not reported', () => {
  const program = `(() => { for (let i = 0; i < 9; i++) require('./dist').zeros([5]) })(); setTimeout(() => gc(), 1)`;
  expect(report(program, '--expose-gc')).toBe('live tensors: 0 bytes in 0\n');
});
