/** One kernel that is wrong, too fast or slow must not cost the rows of the others. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { benchCase } from '../../src/bench/kernels/measure';
import type { KernelJob } from '../../src/bench/kernels/protocol';
import { runJob, runKernelJob } from '../../src/bench/kernels/plugin_process';
import type { KernelCase } from '../../src/bench/kernels/kernel_case';
import { OURS, type Variant } from '../../src/bench/kernels/variant';
import { joinPasses } from '../../src/bench/passes';
import { geluCase } from '../../src/bench/op_cases/gelu';
import { withLayer } from '../../src/core/dispatch';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

const small: KernelCase = { op: 'gelu', stage: 1, timed: geluCase([3, 7], 4), macs: 0 };
const options = { rounds: 2, caches: ['warm'], clock: 'wall', check: true, seed: 3 } as const;

/** Skips the kernel, so that the output is whatever the memory held. */
const broken: Variant = {
  ...{ name: 'broken', flags: '', backward: true },
  use: (body) =>
    withLayer(
      {
        over: (below) => ({
          launch(kernel, args) {
            if (kernel === 'gelu_forward') Object.assign({}, args);
            else below.launch(kernel, args);
          },
        }),
      },
      body,
    ),
};
const right: Variant = { ...broken, name: 'right', use: (body) => body() };

/** Measures the small case; returns the rows and the failures. */
function measured(variants: readonly Variant[], c = small, check = true) {
  const failures: [string, string][] = [];
  const onFailure = ({ name }: Variant, { message }: Error) => void failures.push([name, message]);
  return { rows: benchCase(c, variants, { ...options, check, onFailure }), failures };
}

test.each([
  [true, /^broken: the output of .* is wrong|accepted a stale output/],
  [false, /^broken, as timed: the output of .* is wrong/],
])('a wrong variant costs its own rows only (verified first: %s)', (check, message) => {
  const { rows, failures } = measured([OURS, broken, right], small, check);
  expect(new Set(rows.map(({ variant }) => variant))).toEqual(new Set(['morphmlp', 'right']));
  expect(rows.filter(({ variant }) => variant === 'right').every(({ speed }) => speed !== null)).toBe(true);
  expect(failures).toEqual([['broken', expect.stringMatching(message)]]);
  expect(() => benchCase(small, [OURS, broken], { ...options, check })).toThrow(message);
});

test('a row below the limit of the machine costs itself only', () => {
  const { rows, failures } = measured([OURS, right], { ...small, macs: 1e12, backwardMacs: 0 });
  expect(rows.map(({ variant, direction }) => [variant, direction])).toEqual([
    ['morphmlp', 'backward'],
    ['right', 'backward'],
  ]);
  expect(failures.map(([name]) => name)).toEqual(['morphmlp', 'right']);
  expect(failures[0]![1]).toMatch(/gelu stage 1 forward: .* ms is less than the machine's limit \(FMA\)/);
});

test('passes are joined without the rows of the variant that others are compared with', () => {
  const { rows } = measured([OURS, right]);
  const others = rows.filter(({ variant }) => variant === 'right');
  expect(joinPasses([others, others]).map(({ ms }) => ms.length)).toEqual([4, 4]);
});

test('announces whose work it is: references and comparisons are ours, runs are the variant’s', () => {
  const steps: string[] = [];
  const foreign: Variant = { ...right, foreign: true };
  benchCase(small, [OURS, foreign], {
    ...options,
    onStep: ({ name }, doing, ours = false) => name === 'right' && steps.push(`${ours ? 'ours' : 'its'}: ${doing}`),
  });
  const count = (text: RegExp) => steps.filter((step) => text.test(step)).length;
  expect(count(/^ours: computing the reference of \[3, 7\]/)).toBe(count(/^its: verifying \[3, 7\]/) - 1);
  expect(count(/^ours: being timed/)).toBe(count(/^its: being timed/));
  expect(count(/^its: being timed/)).toBeGreaterThanOrEqual(4); // two rounds after one or two warm-up runs
  expect(steps.at(-1)).toBe('ours: comparing the timed output');
});

/** A child process that reports these messages, waits 1.5 s and ends with a result. */
function worker(name: string, ...messages: object[]): string {
  const file = path.join(folder, `${name}.cjs`);
  const send = (message: object) => `require('fs').writeSync(3, ${JSON.stringify(`${JSON.stringify(message)}\n`)});`;
  const result = { result: { rows: [], checked: [], failures: [] } };
  writeFileSync(file, `${messages.map(send).join('')} setTimeout(() => { ${send(result)} }, 1500);`);
  return file;
}
const job: KernelJob = {
  ...{ op: 'gelu', stage: 1, plugins: ['mine.so'], seed: 1, time: null, threads: 1 },
  device: 'cpu',
  precision: 'f32',
};

test('the timeout governs plugins, not our own kernels', async () => {
  const naive = { doing: 'naive being timed', plugin: 'mine.so', limited: false };
  const slow = worker('naive', { doing: 'being timed', plugin: 'mine.so', limited: true }, naive);
  expect(await runJob('kernel', job, { timeout: 300, worker: slow })).toHaveProperty('result');
  const silent = worker('silent');
  expect(await runJob('kernel', job, { timeout: 300, worker: silent })).toHaveProperty('result');
});

test('a plugin that hangs is ended and named', async () => {
  const hanging = worker('hanging', { doing: 'being timed', plugin: 'mine.so', limited: true });
  expect(await runJob('kernel', job, { timeout: 300, worker: hanging })).toEqual({
    plugin: 'mine.so',
    problem: 'hangs: no progress for 0.3 s while being timed',
  });
  // The process that measures the rest without it hangs too, and nothing is left to leave out.
  await expect(runKernelJob(job, { timeout: 300, worker: hanging })).rejects.toThrow('hangs: no progress for 0.3 s');
});
