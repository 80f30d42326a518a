import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './package_copy';

interface Packed {
  files: { path: string; mode: number }[];
}

// A leftover of node-gyp builds, which must not be packed.
const leftover = path.join(root, 'native', 'build', 'leftover.o');

function packList(): string {
  mkdirSync(path.dirname(leftover), { recursive: true });
  writeFileSync(leftover, '');
  try {
    return execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
  } finally {
    rmSync(leftover);
  }
}

const packed = (JSON.parse(packList()) as Packed[])[0]?.files ?? [];
const paths = packed.map((file) => file.path);

describe('the files npm packs', () => {
  test.each([
    'package.json',
    'LICENSE',
    'CMakeLists.txt',
    'bin/morphmlp.js',
    'dist/core/addon_path.js',
    'dist/core/tensor.d.ts',
    'dist/cli/main.js',
    'native/node/addon.cc',
    'native/ops/ops.def',
    'native/sources.cjs',
    'native/binding.gyp',
    'native/gyp/include/node/common.gypi',
    'tools/install/install.cjs',
    'tools/install/builders.cjs',
    'native/find_addon.cjs',
  ])('has %s', (file) => expect(paths).toContain(file));

  test('contain no tests, TypeScript sources or build output', () => {
    const allowed =
      /^(package\.json|LICENSE|README\.md|CMakeLists\.txt|tools\/install\/(install|builders)\.cjs|(bin|configs|dist|native|prebuilds|include)\/.*)$/;
    expect(paths.filter((file) => !allowed.test(file) || /^native\/build\//.test(file))).toEqual([]);
    expect(paths.filter((file) => /(?<!\.d)\.ts$|\.test\.|fixtures|\.log$|\.o$/.test(file))).toEqual([]);
  });

  test('have no binding.gyp in the root, which npm would run automatically', () =>
    expect(paths).not.toContain('binding.gyp'));

  test('have an executable command line', () =>
    expect((packed.find((file) => file.path === 'bin/morphmlp.js')?.mode ?? 0) & 0o111).not.toBe(0));

  test('include every file named by package.json', () => {
    const text = readFileSync(path.join(root, 'package.json'), 'utf8');
    const { main, types, bin } = JSON.parse(text) as { main: string; types: string; bin: Record<string, string> };
    expect(paths).toEqual(expect.arrayContaining([main, types, ...Object.values(bin)]));
  });
});
