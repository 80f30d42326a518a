/** Files that are damaged, of an earlier version or no files at all, and files that a command leaves behind. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { writeSafetensors } from '../../src/formats/safetensors';
import { CLI, runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = ['--preset', 'quickstart', '--data', 'motion:8', '--val', 'motion:8', '--crop', '32', '--epochs', '1'];

beforeAll(() => {
  expect(runCli(['train', ...SMALL, '--batch-size', '8', '--out', at('run')])).toMatchObject({ status: 0 });
});

/** The checkpoint `name` of the run as an earlier version wrote it. */
function withoutChecksums(name: string, to: string): void {
  const { tensors, optimizer, meta } = loadCheckpoint(at(`run/${name}`));
  for (const [key, tensor] of optimizer) tensors.set(`optimizer.${key}`, tensor);
  const metadata = { format: 'morphmlp', version: '1', meta: JSON.stringify(meta) };
  writeSafetensors(to, tensors, new Map(Object.entries(metadata)));
}

describe('verify', () => {
  test('says of every file whether its tensors have their checksums', () => {
    const { status, out } = runCli(['verify', at('run/best.safetensors'), at('run/last.safetensors')]);
    const lines = out.trim().split('\n');
    expect(lines[0]).toMatch(/run\/best\.safetensors: ok, \d+ tensors have their checksums$/);
    expect(lines[1]).toMatch(/run\/last\.safetensors: ok, \d+ tensors have their checksums$/);
    expect(status).toBe(0);
  });

  test('names each damaged tensor of each file', () => {
    const bytes = readFileSync(at('run/best.safetensors'));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    for (const name of ['head.bias', 'blocks1.0.norm1.weight']) bytes[start + header[name]!.data_offsets[0]]! ^= 1;
    writeFileSync(at('flipped.safetensors'), bytes);
    writeFileSync(at('cut.safetensors'), bytes.subarray(0, bytes.length - 1));
    const files = ['flipped', 'cut', 'run/best', 'none'].map((name) => at(`${name}.safetensors`));
    const { status, out } = runCli(['verify', ...files]);
    for (const name of ['head.bias', 'blocks1.0.norm1.weight'])
      expect(out).toMatch(
        new RegExp(`flipped\\.safetensors: DAMAGED: tensor "${name}" is damaged: its checksum is \\d+, not \\d+\n`),
      );
    expect(out).toMatch(/flipped\.safetensors: 2 of \d+ tensors are damaged\n/);
    expect(out).toMatch(/DAMAGED: .*cut\.safetensors: .*\n/);
    expect(out).toMatch(/best\.safetensors: ok/);
    expect(out).toMatch(/DAMAGED: .*none\.safetensors: no such file\n/);
    expect(status).toBe(1);
  });

  test('a checkpoint without checksums is read with a note', () => {
    withoutChecksums('best.safetensors', at('old.safetensors'));
    expect(runCli(['verify', at('old.safetensors')])).toMatchObject({
      status: 0,
      out: expect.stringMatching(/old\.safetensors: \d+ tensors can be read; it has no checksums/) as string,
    });
    const evaluated = runCli(['evaluate', '--data', 'motion:8', '--checkpoint', at('old.safetensors')]);
    expect(evaluated.err).toMatch(/note: .*old\.safetensors: it has no checksums, as an earlier version wrote it/);
    expect(evaluated.status).toBe(0);
    const started = runCli([
      'train',
      ...SMALL,
      '--batch-size',
      '8',
      '--init',
      at('old.safetensors'),
      '--out',
      at('started'),
    ]);
    expect(started.err).toMatch(/note: .*old\.safetensors: it has no checksums/);
    mkdirSync(at('resumed'));
    withoutChecksums('last.safetensors', at('resumed/last.safetensors'));
    const resumed = runCli(['train', ...SMALL, '--batch-size', '8', '--resume', '--out', at('resumed')]);
    expect(resumed.err).toMatch(/note: .*last\.safetensors: it has no checksums/);
    expect(resumed.status).toBe(0);
  });
});

test('weights that were trained with another normalisation are used with a note', () => {
  const start = (...settings: string[]) =>
    runCli([
      'train',
      ...SMALL,
      '--batch-size',
      '8',
      '--init',
      at('run/best.safetensors'),
      '--out',
      at(`from${settings.length}`),
      ...settings,
    ]);
  const other = start('DATA.MEAN', '0.5', 'DATA.STD', '[0.2, 0.25, 0.3]');
  expect(other.err).toMatch(
    /best\.safetensors: the weights were trained with mean 0\.45, std 0\.225, this run normalises with mean 0\.5, std 0\.2, 0\.25, 0\.3; the same: DATA\.MEAN '\[0\.45, 0\.45, 0\.45\]' DATA\.STD '\[0\.225, 0\.225, 0\.225\]'/,
  );
  expect(other.status).toBe(0);
  const same = start();
  expect(same.err).not.toMatch(/normalises/);
  expect(same.status).toBe(0);
});

describe('what is no file gives one sentence, without waiting', () => {
  const FIFO = 'pipe';
  beforeAll(() => execFileSync('mkfifo', [at(FIFO)]));

  test.each([
    ['evaluate', '--data', 'motion:8', '--checkpoint', 'FILE'],
    ['predict', CLI, '--checkpoint', 'FILE'],
    ['export', 'FILE', 'x.onnx'],
    ['convert', 'FILE', 'x.safetensors'],
    ['verify', 'FILE'],
    ['train', '--cfg', 'FILE'],
    ['train', '--data', 'FILE', '--out', 'OUT'],
    ['train', ...SMALL, '--init', 'FILE', '--out', 'OUT'],
    ['data', 'check', 'FILE'],
  ])('%s %s %s %s %s', (...args) => {
    const places = [
      [at(FIFO), 'device or pipe'],
      ['/dev/zero', 'device or pipe'],
      [folder, 'folder'],
    ] as const;
    for (const [place, what] of places) {
      if (what === 'folder' && (args.includes('--data') || args[0] === 'data') && !args.includes('motion:8')) continue; // class folders
      const { status, err } = runCli(args.map((word) => (word === 'FILE' ? place : word === 'OUT' ? at('out') : word)));
      expect(err).toMatch(new RegExp(`: expected a (configuration )?file, got a ${what}`));
      expect(err.trim().split('\n')).toHaveLength(1);
      expect(status).toBe(1);
    }
  });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('predict - removes its temporary file on %s', async (signal) => {
  const temporary = at(`tmp_${signal}`);
  mkdirSync(temporary);
  const args = [CLI, 'predict', '-', '--checkpoint', at('run/best.safetensors')];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.write(Buffer.alloc(1000));
  const ended = new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  const files = () => readdirSync(temporary).filter((name) => name.startsWith('morphmlp-'));
  while (files().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill(signal);
  expect(await ended).toBe(signal);
  expect(files()).toEqual([]);
});
