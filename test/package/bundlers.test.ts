import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { placeAddon, removePackage, unpackPackage } from './package_copy';

const copy = unpackPackage();
const { consumer, installed } = copy;
afterAll(() => removePackage(copy));

const esbuild = createRequire(require.resolve('tsx')).resolve('esbuild/bin/esbuild');

/** Bundles a program by esbuild into a folder of its own, and runs it. */
function bundleAndRun(format: 'cjs' | 'esm', ...options: string[]) {
  const program = path.join(consumer, 'program.ts');
  writeFileSync(program, "import { tensor } from 'morphmlp';\nconsole.log(tensor([1, 2]).add(1).toString());\n");
  const out = path.join(consumer, 'out', format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs');
  mkdirSync(path.dirname(out), { recursive: true });
  const env = { ...process.env, MORPHMLP_ADDON: '' };
  const given = [program, '--bundle', '--platform=node', `--format=${format}`, `--outfile=${out}`, ...options];
  const made = spawnSync(esbuild, given, { cwd: consumer, encoding: 'utf8', env });
  expect({ status: made.status, error: made.error }).toEqual({ status: 0, error: undefined });
  return spawnSync(process.execPath, [out], { cwd: path.dirname(out), encoding: 'utf8', env });
}

test.each(['cjs', 'esm'] as const)('a bundle that keeps the package external runs: %s', (format) => {
  placeAddon(installed, 'build/Release/morphmlp.node');
  const { stdout, stderr } = bundleAndRun(format, '--external:morphmlp');
  expect({ stdout, stderr }).toEqual({ stdout: 'Tensor([2, 3], [2], f32, cpu)\n', stderr: '' });
});

test('a bundle that includes the package says what to do', () => {
  placeAddon(installed, 'build/Release/morphmlp.node');
  const { status, stderr } = bundleAndRun('cjs', '--external:node-av', '--external:sharp');
  expect(status).toBe(1);
  expect(stderr).toContain('Error: morphmlp was bundled into another file');
  expect(stderr).toContain('esbuild --external:morphmlp');
  expect(stderr).not.toContain('Tried:');
});
