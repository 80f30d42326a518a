import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

interface Manifest {
  commit: string;
  files: Record<string, { bytes: number; sha256: string }>;
}
interface Parsed {
  name: string;
  options: { device: string; out: string; build: boolean; extra: string[] };
}
const root = path.join(__dirname, '../..');
const { writeManifest, differences } = jest.requireActual<{
  writeManifest: (folder: string, facts: object) => Manifest;
  differences: (folder: string) => string[];
}>('../../tools/bundle/manifest.cjs');
const { pack } = jest.requireActual<{
  pack: (parent: string, name: string, out: string, seconds: number, level: string) => void;
}>('../../tools/bundle/archive.cjs');
const { closure } = jest.requireActual<{ closure: (root: string, names: string[]) => string[] }>(
  '../../tools/bundle/packages.cjs',
);
const { parse, STEPS } = jest.requireActual<{
  parse: (args: string[]) => Parsed;
  STEPS: Record<string, { commands: (options: Parsed['options']) => unknown[] }>;
}>('../../tools/bundle/steps.cjs');

const { follow, lossesOf } = jest.requireActual<{
  follow: (one: number[], other: number[]) => { apart: number; follows: boolean };
  lossesOf: (file: string) => number[];
}>('../../tools/bundle/follow.cjs');

let folder: string;
const at = (name: string) => path.join(folder, name);

function write(name: string, text: string): void {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
}

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'bundle-'));
  write('b/two.txt', 'two');
  write('a.txt', 'one');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the manifest of a bundle', () => {
  test('lists every file with its size and checksum, sorted, and its facts', () => {
    const manifest = writeManifest(folder, { commit: 'abc' });
    expect(Object.keys(manifest.files)).toEqual(['a.txt', 'b/two.txt']);
    expect(manifest.commit).toBe('abc');
    expect(manifest.files['a.txt']).toEqual({
      bytes: 3,
      sha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
    });
    expect(JSON.parse(readFileSync(at('MANIFEST.json'), 'utf8'))).toEqual(manifest);
    expect(differences(folder)).toEqual([]);
  });

  test('names missing, changed and new files, but not files written by its steps', () => {
    writeManifest(folder, {});
    rmSync(at('b/two.txt'));
    write('a.txt', 'onE');
    write('new.txt', '');
    write('results/doctor.json', '{}');
    expect(differences(folder)).toEqual(['a.txt: changed', 'b/two.txt: missing', 'new.txt: not in the manifest']);
    write('a.txt', 'longer');
    expect(differences(folder)).toContain('a.txt: expected 3 bytes, got 6');
  });

  test('that is not an object with files is refused', () => {
    write('MANIFEST.json', '[]');
    expect(() => differences(folder)).toThrow('MANIFEST.json: expected an object with files, got []');
  });
});

test('the same files give the same archive, regardless of their timestamps', () => {
  const made = ['first', 'second'].map((name, i) => {
    utimesSync(at('a.txt'), 1e9 + i, 1e9 + i);
    rmSync(at('b/two.txt'));
    write('b/two.txt', 'two');
    const out = path.join(os.tmpdir(), `bundle-${process.pid}-${name}.tar.xz`);
    pack(path.dirname(folder), path.basename(folder), out, 1e9, '1');
    const bytes = readFileSync(out);
    rmSync(out);
    return bytes;
  });
  expect(made[0]!.length).toBeGreaterThan(100);
  expect(made[0]!.equals(made[1]!)).toBe(true);
});

describe('the packages of a bundle', () => {
  test('include all that jest needs, and neither TypeScript nor unrequested packages', () => {
    const found = closure(root, ['jest']);
    expect(found).toEqual(
      expect.arrayContaining(['node_modules/jest', 'node_modules/expect', 'node_modules/jest-circus']),
    );
    expect(found.filter((name) => /\/(typescript|ts-jest|sharp|echarts)$/.test(name))).toEqual([]);
    expect(found).toEqual([...found].sort());
  });

  test('that are missing are named', () =>
    expect(() => closure(root, ['no-such-package'])).toThrow('no-such-package is not in node_modules'));
});

describe('the command line of ./run', () => {
  test('takes a step, a folder, a device and arguments for the program', () => {
    const given = ['test', '--device', 'cpu', `OUT=${folder}`, '--', 'test/ops', '--bail'];
    expect(parse(given)).toEqual({
      name: 'test',
      options: { device: 'cpu', out: folder, build: true, extra: ['test/ops', '--bail'] },
    });
    expect(parse(['all']).options).toMatchObject({ device: 'cuda', extra: [] });
  });

  test.each([
    [
      ['bogus'],
      "expected one of doctor, build, test, parity, train-200, bench, models, profile, sanitize, all, quick, check, got 'bogus'",
    ],
    [['test', 'parity'], "got 'test parity'"],
    [['test', '--device', 'tpu'], "--device: expected cuda or cpu, got 'tpu'"],
    [['test', '--device'], "--device: expected cuda or cpu, got 'undefined'"],
  ])('%j is refused in one sentence', (args, message) => expect(() => parse(args)).toThrow(message));
});

test.each([
  ['cuda', ['--op', 'gelu'], ['f32', 'bf16']],
  ['cuda', ['--plugin', 'my_gelu.so'], ['f32']],
  ['cpu', [], ['f32']],
])('./run bench on %s with %j measures kernels in %j, each with a file of its own', (device, extra, precisions) => {
  const { commands } = STEPS.bench!;
  const asked = commands({ device, out: 'there', build: false, extra }).filter(Array.isArray);
  expect(asked.map((argv) => argv.slice(2))).toEqual(
    precisions.map((precision) => [
      ...['bench', 'kernels', '--device', device, '--precision', precision],
      ...['--out', path.join('there', `kernels_${precision}.json`), ...extra],
    ]),
  );
});

describe('./run build', () => {
  const { configureArguments } = jest.requireActual<{
    configureArguments: (folder: string, cuda: string, defines: Record<string, string>) => string[];
  }>('../../tools/build/cmake.cjs');

  test('runs a script that exists, with the arguments after --', () => {
    const [command] = STEPS.build!.commands({ device: 'cuda', out: 'there', build: true, extra: ['--cuda', 'OFF'] });
    const [node, script, ...extra] = command as string[];
    expect(node).toBe(process.execPath);
    expect(existsSync(script!)).toBe(true);
    expect(extra).toEqual(['--cuda', 'OFF']);
  });

  test('configures CMake to write both libraries to Release, with the headers of Node-API', () => {
    const given = configureArguments('/there', 'ON', { CMAKE_CUDA_FLAGS: '--no-compress' });
    expect(given).toEqual(
      expect.arrayContaining([
        '-DCMAKE_BUILD_TYPE=Release',
        '-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=/there/Release',
        '-DMORPHMLP_CUDA=ON',
        '-DCMAKE_CUDA_FLAGS=--no-compress',
      ]),
    );
    const headers = given
      .find((word) => word.startsWith('-DCMAKE_JS_INC='))!
      .split('=')[1]!
      .split(';');
    expect(existsSync(path.join(headers[0]!, 'napi.h'))).toBe(true);
    expect(existsSync(path.join(headers[1]!, 'node_api.h'))).toBe(true);
  });
});

describe('whether the losses of one run follow those of another', () => {
  const falling = Array.from({ length: 60 }, (_, i) => 2 * 0.95 ** i + (i % 3) / 10);
  test.each([
    ['the same', (v: number) => v, 0, true],
    ['a twentieth above', (v: number) => 1.05 * v, 0.05, true],
    ['a third above', (v: number) => 1.33 * v, 0.33, false],
    ['one that does not learn', () => 2, 1.9, false],
    ['one NaN', (v: number, i: number) => (i === 30 ? NaN : v), NaN, false],
  ])('%s', (_, change, apart, follows) => {
    const found = follow(falling, falling.map(change));
    expect(found.follows).toBe(follows);
    if (Number.isNaN(apart)) expect(found.apart).toBeNaN();
    else expect(Math.abs(found.apart - apart)).toBeLessThan(0.2 * apart + 1e-12);
  });

  test('losses are read from the steps of a metrics file', () => {
    const lines = falling.map((loss, i) => JSON.stringify({ kind: i % 2 ? 'epoch' : 'step', loss }));
    write('metrics.jsonl', `${lines.join('\n')}\n`);
    expect(lossesOf(at('metrics.jsonl'))).toEqual(falling.filter((_, i) => i % 2 === 0));
    write('short.jsonl', `${lines[0]}\n`);
    expect(() => lossesOf(at('short.jsonl'))).toThrow('expected at least 20 steps, got 1');
  });
});
