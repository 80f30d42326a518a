import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { faultyPlugin } from '../support/plugins';
import { CLI, runCli, type CliResult } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const training = (plugin: string, out: string, ...more: string[]): string[] => [
  ...['train', '--preset', 'quickstart', '--data', 'motion:32', '--val', 'motion:8', '--crop', '32', '--epochs', '1'],
  ...['--plugin', plugin, '--out', at(out), ...more],
];

const train = (plugin: string, out: string, ...more: string[]): CliResult => runCli(training(plugin, out, ...more));

test('a right kernel trains, and is named in the configuration and the report', () => {
  const right = faultyPlugin(folder, 'none');
  const { status, out, err } = train(right, 'right');
  expect(err).toMatch(/note: none\.so replaces morph_fc, so blocks run op by op/);
  expect(out).toMatch(/epoch 1\/1 .*validation loss/);
  expect(status).toBe(0);
  expect(readFileSync(at('right/config.yaml'), 'utf8')).toContain(`PLUGINS: [${right}]`);
  expect(readFileSync(at('right/report.html'), 'utf8')).toContain(right);
});

test.each([
  ['off by one chunk', /off_by_one_chunk\.so: the model .* gives other results with the plugin: logits differ by/],
  ['null', /null\.so: crashed: accessed .*while computing the forward of morph_fc in the model/],
  ['wrong gradient', /gives other results with the plugin: logits differ by .*, the gradient of .*bias by/],
  ['no backward', /has no backward for morph_fc: nothing can be trained with it/],
] as const)('a kernel with the fault %s is refused before anything is trained', (fault, message) => {
  const { status, err } = train(faultyPlugin(folder, fault), 'refused');
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
  expect(existsSync(at('refused'))).toBe(false);
});

test('a kernel that crashes in the middle of a run is named, and the run goes on without it', () => {
  const plugin = faultyPlugin(folder, 'late');
  const { status, err } = train(plugin, 'late', 'RUN.SAVE_MINUTES', '0');
  expect(err).toMatch(
    /late\.so, in the forward of morph_fc, crashed: .*\(SIGSEGV\); .*last\.safetensors has what was saved: go on with --resume, and without the plugin by --accept-changes too/,
  );
  expect(status).toBe(1);
  const args = training(plugin, 'late', '--resume', '--accept-changes').filter(
    (word) => word !== '--plugin' && word !== plugin,
  );
  expect(runCli(args)).toMatchObject({ status: 0 });
});

test('Ctrl-C reaches the watched run once: it saves and says how to go on', async () => {
  const args = training(faultyPlugin(folder, 'none'), 'stopped', '--epochs', '50');
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (err += String(text)));
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve));
  while (!/epoch 1\/50/.test(out)) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  expect(await gone).toBe(130);
  expect(err).toMatch(/stopping after this step/);
  expect(out).toMatch(/saved .*last\.safetensors; go on with: .* train --out .*stopped --resume/);
});
