import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { candidates, valuesText, type Values } from '../../src/bench/kernels/tune';
import { openPlugin, tunedFile } from '../../src/core/plugins';
import { faultyPlugin, fixturePlugin } from '../support/plugins';
import { CLI, runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const library = fixturePlugin(folder, 'tunable', 'gelu');
const kept = tunedFile(library);
afterEach(() => rmSync(kept, { force: true }));
afterAll(() => rmSync(folder, { recursive: true }));

const quick = ['--rounds', '3'];
const valuesIn = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as { values: Values }).values;

/** The values tried, if those with the least cost are kept. */
function tried(parameters: { name: string; values: number[] }[], most: number, cost: (v: Values) => number) {
  let best = Object.fromEntries(parameters.map(({ name, values }) => [name, values[0]!])) as Values;
  const all: string[] = [];
  for (const values of candidates(parameters, most, () => best)) {
    all.push(valuesText(values));
    if (cost(values) < cost(best)) best = values;
  }
  return { all, best };
}

const two = [
  { name: 'a', values: [0, 1, 2] },
  { name: 'b', values: [0, 1, 2] },
];

test('few combinations are all tried once, without the first', () => {
  const { all } = tried(two, 8, () => 0);
  expect([...all].sort()).toEqual(['0 1', '0 2', '1 0', '1 1', '1 2', '2 0', '2 1', '2 2'].map(named));
});

const named = (text: string) => `a=${text[0]} b=${text[2]}`;

test('of more combinations, one parameter at a time is tried beside the best so far', () => {
  const { all, best } = tried(two, 7, ({ a, b }) => Math.abs(a! - 2) + Math.abs(b! - 1));
  expect(all).toEqual(['1 0', '2 0', '2 1', '2 2', '0 1', '1 1'].map(named));
  expect(best).toEqual({ a: 2, b: 1 });
});

test('no more values are tried than asked for', () => {
  expect(tried(two, 3, () => 0).all).toHaveLength(3);
  expect(tried(two, 5, () => 0).all).toEqual(['1 0', '2 0', '0 1', '0 2'].map(named));
});

test('kernel tune keeps the fastest values, and reports those with which the kernel fails', () => {
  const { status, out, err } = runCli(['kernel', 'tune', library, ...quick, '--trials', '3']);
  expect(out).toMatch(/naps=600 .*first/);
  expect(out).toMatch(/naps=0 .*kept/);
  expect(out).toMatch(/^naps=0, .* times as fast as naps=600\nwrote .*tunable\.so\.tuned\.json/m);
  expect(err).toMatch(/tunable\.so \(naps=3\): gelu stage 1: .* is wrong/);
  expect(err).toMatch(/\(naps=4\): gelu stage 1: ended the process itself, with exit status 7/);
  expect(err).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
  expect(valuesIn(kept)).toEqual({ naps: 0 });
  expect(openPlugin(library)).toMatchObject({ values: { naps: 0 }, flags: '-O1; tuned: naps=0' });
}, 600_000);

test('SIGINT ends the tuning and keeps the best values so far', async () => {
  const child = spawn(process.execPath, [CLI, 'kernel', 'tune', library, ...quick], { stdio: ['ignore', 'pipe', 2] });
  let out = '';
  child.stdout!.on('data', (text: Buffer) => (out += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!existsSync(kept) && child.exitCode === null) await sleep(20);
  child.kill('SIGINT');
  await ended;
  expect(out).toMatch(/interrupted after \d trials/);
  expect(out).not.toMatch(/naps=603/);
  expect(out).toMatch(/^naps=0\nwrote /m);
  expect(valuesIn(kept)).toEqual({ naps: 0 });
}, 600_000);

test.each([
  ['{"values": {"naps": 5}}', /naps is one of 600, 0, .*, not 5; .*tuned\.json is of another version of it: remove it/],
  [
    '{"values": {"size": 1}}',
    /it has no parameter 'size' \(its parameters: naps\); .*tuned\.json is of another version/,
  ],
  ['{"values": {"naps": "5"}}', /tuned\.json: expected \{"values": \{"parameter": number\}\}; remove it/],
  ['{"values": null}', /tuned\.json: expected \{"values"/],
  ['{', /tuned\.json: expected \{"values"/],
])('the kept values %s are refused in one sentence', (text, message) => {
  writeFileSync(kept, text);
  expect(() => openPlugin(library)).toThrow(message);
});

test('a kernel without parameters, or in another type, is not tuned', () => {
  const plain = runCli(['kernel', 'tune', faultyPlugin(folder, 'none')]);
  expect(plain.err).toMatch(/none\.so: it declares no parameters \(morphmlp_parameter in morphmlp_kernel\.h\)/);
  expect(plain.status).toBe(1);
  const bf16 = runCli(['kernel', 'tune', library, '--dtype', 'bf16']);
  expect(bf16.err).toMatch(/tunable\.so: it takes activations in f32, not in bf16 \(--dtype\)/);
});
