import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';
import { cLibrary } from '../support/c_library';

const root = path.join(__dirname, '../..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'bundle-'));
const archive = path.join(folder, 'bundle.tar.xz');
afterAll(() => rmSync(folder, { recursive: true }));

// The programs that `run` and the tests of a bundle may use: no Node, npm or CMake.
const TOOLS = ['bash', 'sed', 'sort', 'head', 'cat', 'dirname', 'getconf', 'cc', 'as', 'ld', 'python3'];

/** Finds a tool; for Python the interpreter itself, because the PATH may contain a wrapper script. */
function which(tool: string): string {
  if (tool === 'python3')
    return spawnSync(tool, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim();
  return spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
}

/** ./run on a machine that has TOOLS alone. */
function run(...args: string[]) {
  const script = path.join(folder, 'morphmlp-bundle', 'run');
  const env = { PATH: path.join(folder, 'tools'), HOME: folder };
  const { status, stdout, stderr } = spawnSync(script, args, { encoding: 'utf8', env, maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}

beforeAll(() => {
  mkdirSync(path.join(folder, 'tools'));
  for (const tool of TOOLS) if (which(tool)) symlinkSync(which(tool), path.join(folder, 'tools', tool));
  const libraries = path.dirname(loadAddon().file);
  expect(path.dirname(cLibrary())).toBe(libraries);
  const made = spawnSync(
    process.execPath,
    [path.join(root, 'tools/bundle/bundle.cjs'), '--libraries', libraries, '--out', archive],
    { encoding: 'utf8' },
  );
  expect({ status: made.status, stderr: made.stderr }).toEqual({ status: 0, stderr: '' });
  expect(spawnSync('tar', ['xf', archive, '-C', folder]).status).toBe(0);
}, 600_000);

test('a bundle has at most 40 MB and matches its manifest', () => {
  expect(statSync(archive).size).toBeLessThan(40e6);
  expect(run('check')).toEqual({ status: 0, stdout: 'every file is as the manifest says\n', stderr: '' });
});

test('its tests run without Node and npm', () => {
  const ran = run(
    'test',
    '--device',
    'cpu',
    `OUT=${folder}/out`,
    '--',
    'test/ops/gelu',
    'test/c_api',
    'test/models/ablation',
  );
  expect({ status: ran.status, errors: /^FAIL .*/m.exec(ran.stderr)?.[0] }).toEqual({ status: 0 });
  const record = JSON.parse(readFileSync(`${folder}/out/test.json`, 'utf8')) as Record<string, unknown>;
  expect(record).toMatchObject({
    step: 'test',
    status: 'passed',
    on: 'cpu',
    commit: expect.stringMatching(/^[0-9a-f]{40}/),
  });
});

test('GPU steps report why there is no GPU, and all of them finish', () => {
  if (spawnSync('nvidia-smi').status === 0) return;
  const ran = run('all', '--no-build', `OUT=${folder}/all`);
  expect(ran.status).toBe(1);
  for (const step of ['test', 'parity', 'train-200', 'bench', 'models', 'profile', 'sanitize']) {
    expect(ran.stderr).toContain(`${step}: no CUDA device: `);
    expect(JSON.parse(readFileSync(`${folder}/all/${step}.json`, 'utf8'))).toMatchObject({ status: 'no device' });
  }
});
