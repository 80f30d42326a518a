import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

/** Runs a scenario of workers_child.cjs. A crash gives its signal, a hang SIGTERM after 40 s. */
function run(scenario: string): { code: number | null; signal: string | null; results: unknown[]; stderr: string } {
  const found = spawnSync(process.execPath, [path.join(__dirname, 'workers_child.cjs'), scenario], {
    encoding: 'utf8',
    timeout: 40_000,
    env: { ...process.env, MORPHMLP_ADDON: loadAddon().file, MORPHMLP_THREADS: '3' },
  });
  const lines = found.stdout.split('\n').filter(Boolean);
  return {
    code: found.status,
    signal: found.signal,
    results: lines.map((line) => JSON.parse(line) as unknown),
    stderr: found.stderr,
  };
}

const ended = (code: number, results: unknown[], stderr: unknown = '') => ({ code, signal: null, results, stderr });
const RIGHT = expect.closeTo(0, 5) as number; // against float64

test('workers that load the addon and compute concurrently get the bits of the main thread', () => {
  expect(run('together')).toEqual(ended(0, [{ digests: 1, error: RIGHT, codes: [0, 0, 0, 0] }]));
});

test('workers terminated within a kernel free their memory, and the main thread continues', () => {
  expect(run('terminate')).toEqual(ended(0, [{ same: true, left: 0 }]));
});

test('a worker that ends frees its undisposed tensors', () => {
  const result = { held: 50 * (1 << 16), left: 0, code: 0 };
  expect(run('hoard')).toEqual(ended(0, [result, result, result]));
});

test('process.exit while workers compute preserves the exit code', () => expect(run('exit')).toEqual(ended(3, [])));

test('the process ends with the main thread despite unreferenced workers and timers', () => {
  expect(run('end')).toEqual(ended(0, []));
});

test('an uncaught error while a worker computes ends the process with 1', () => {
  expect(run('crash')).toEqual(ended(1, [], expect.stringContaining('Error: on purpose')));
});

test('process.exit in a worker, inside a scope, ends the worker alone', () => {
  expect(run('quit')).toEqual(ended(0, [{ code: 5, error: RIGHT }]));
});

test('an error of the engine in a worker reaches the main thread', () => {
  expect(run('throw')).toEqual(ended(0, [{ thrown: expect.stringContaining('shape [-1]'), error: RIGHT }]));
});
