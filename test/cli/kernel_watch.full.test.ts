import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { template } from '../../src/bench/kernels/template';
import { CLI, runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const source = path.join(folder, 'my_temporal_fc.cc');
let child: ChildProcess | null = null;
afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const right = template('my_temporal_fc', 'temporal_fc', 'c++');
/** The kernel with `body` at the start of its forward. */
const withForward = (body: string) => right.replace(/(int32_t forward\(const morphmlp_call\* call\) \{)/, `$1 ${body}`);

test('kernel watch builds, checks and times at each save, survives every fault, and ends by Ctrl-C with status 0', async () => {
  writeFileSync(source, right);
  const options = ['--stage', '4', '--rounds', '3', '--timeout', '10', '--threads', '1'];
  const env = { ...process.env, NO_COLOR: '1' };
  child = spawn(process.execPath, [CLI, 'kernel', 'watch', source, ...options], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout!.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr!.on('data', (text: Buffer) => (err += text.toString()));
  const ended = new Promise<number | null>((resolve) => child!.on('close', resolve));
  /** The lines since the last call, once one of them matches. */
  const linesUntil = async (wanted: RegExp): Promise<string> => {
    while (!wanted.test(out) && child!.exitCode === null) await sleep(50);
    expect(out).toMatch(wanted);
    const lines = out;
    out = '';
    return lines;
  };

  const first = await linesUntil(/^\S+ {2}bench .*\n/m);
  expect(first).toMatch(/^\S+ {2}build {2}my_temporal_fc\.so in [\d.]+ s$/m);
  expect(first).toMatch(/^\S+ {2}check {2}right at stage 4: error forward \d\.\de-\d, gradient \d\.\de-\d$/m);
  expect(first).toMatch(
    /^\S+ {2}bench {2}temporal_fc stage 4: forward [\d.]+ ms \([\d.]+ of ours\); backward [\d.]+ ms/m,
  );
  expect(first).not.toMatch(/as before/);

  writeFileSync(source, `${right}\n// saved again\n`);
  const second = await linesUntil(/^\S+ {2}bench .*\n/m);
  expect(second).toMatch(/forward .* times as fast as before; backward .* times as fast as before/);

  const faults: [string, RegExp][] = [
    ['x;', /^\S+ {2}build {2}failed: .*my_temporal_fc\.cc: c\+\+ exited with status 1\n/m],
    [
      '*(volatile int*)0 = 1;',
      /^\S+ {2}check {2}failed: temporal_fc stage 4: crashed: accessed memory out of bounds .*\n/m,
    ],
    [
      'for (volatile int i = 0;;) i = 1;',
      /^\S+ {2}check {2}failed: temporal_fc stage 4: hangs: no progress for 10 s .*\n/m,
    ],
    ['return MORPHMLP_OK;', /^\S+ {2}check {2}failed: temporal_fc stage 4: my_temporal_fc: .* is wrong.*\n/m],
  ];
  for (const [body, line] of faults) {
    writeFileSync(source, withForward(body));
    expect((await linesUntil(line)).trim().split('\n').length).toBeLessThanOrEqual(2);
  }
  expect(err).toMatch(/error: .*'?x'?/);
  expect(err).not.toMatch(/\n\s+at /);

  // As editors do: a new file takes the name of the old one.
  writeFileSync(`${source}.new`, right);
  renameSync(`${source}.new`, source);
  expect(await linesUntil(/^\S+ {2}bench .*\n/m)).toMatch(/times as fast as before/);
  child.kill('SIGINT');
  expect(await ended).toBe(0);
}, 600_000);

test('what cannot be watched is refused in a sentence', () => {
  expect(runCli(['kernel', 'watch', path.join(folder, 'none.cc')])).toMatchObject({
    status: 1,
    err: expect.stringMatching(/none\.cc: no such file/),
  });
  const text = path.join(folder, 'notes.txt');
  writeFileSync(text, '');
  expect(runCli(['kernel', 'watch', text])).toMatchObject({
    status: 1,
    err: expect.stringMatching(/notes\.txt: expected C\+\+/),
  });
});
