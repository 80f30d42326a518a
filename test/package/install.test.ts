import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { platformName } from '../../native/find_addon.cjs';
import { builtAddon, placeAddon, removePackage, unpackPackage, writeTool } from './package_copy';

const copy = unpackPackage();
const { installed } = copy;
const tools = path.join(copy.consumer, 'tools');
const prebuilt = `prebuilds/${platformName()}/morphmlp.node`;
const cmakeBuild = 'build/Release/morphmlp.node';
const gypBuild = 'native/build/Release/morphmlp.node';

// Substitutes for build tools: a build only copies the addon to its destination.
const deliver = (target: string) =>
  `/bin/mkdir -p "$(/usr/bin/dirname "${target}")" && /bin/cp "${builtAddon}" "${target}"`;
const generators = `echo '{"generators":[{"name":"Ninja"},{"name":"Unix Makefiles"}]}'`;
const cmakeDoing = (build: string) => `case "$1" in -E) ${generators};; --build) ${build};; esac`;

function addTools(...names: string[]): void {
  for (const name of names) writeTool(tools, name, 'exit 0');
}

function addCmake(build = deliver(path.join(installed, cmakeBuild))): void {
  writeTool(tools, 'cmake', cmakeDoing(build));
}

/** Replaces the package node-gyp by a fake that builds in the folder of its option -C. */
function addNodeGyp(body = deliverGyp, to = copy): void {
  const file = path.join(to.consumer, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  rmSync(path.join(to.consumer, 'node_modules', 'node-gyp'), { recursive: true, force: true });
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `const fs = require('fs'), path = require('path'), folder = process.argv[4];\n${body}`);
}

const deliverGyp = `
  if (process.argv[3] !== '-C' || !/^[\\w./-]+$/.test(folder)) throw new Error('cannot build in ' + folder);
  for (const name of ['binding.gyp', 'sources.cjs', '../include/morphmlp.h', 'gyp/include'])
    if (!fs.existsSync(path.join(folder, name))) throw new Error('lacks ' + name);
  for (const name of ['node-api-headers', 'node-addon-api'])
    console.error(require(require.resolve(name, { paths: [folder] })).include_dir);
  fs.mkdirSync(path.join(folder, 'build/Release'), { recursive: true });
  fs.copyFileSync(${JSON.stringify(builtAddon)}, path.join(folder, 'build/Release/morphmlp.node'));`;

function install(env: Record<string, string> = {}, folder = installed): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, [path.join(folder, 'tools', 'install', 'install.cjs')], {
    encoding: 'utf8',
    env: { PATH: tools, ...env },
  });
  return { status: run.status, output: run.stdout + run.stderr };
}

function reset(): void {
  for (const name of ['build', 'native/build', 'prebuilds', 'build-logs'])
    rmSync(path.join(installed, name), { recursive: true, force: true });
  rmSync(tools, { recursive: true, force: true });
  writeTool(tools, 'sh', 'exec /bin/sh "$@"');
  symlinkSync(process.execPath, path.join(tools, 'node'));
}

beforeEach(reset);
afterAll(() => removePackage(copy));

describe('install', () => {
  test('uses a prebuilt addon that loads and builds nothing', () => {
    placeAddon(installed, prebuilt);
    const { status, output } = install();
    expect(output).toBe(`morphmlp: using the prebuilt addon for ${platformName()}\n`);
    expect(status).toBe(0);
  });

  test('reports and skips a prebuilt addon that does not load, and builds with CMake', () => {
    placeAddon(installed, prebuilt, __filename);
    addTools('g++', 'make', 'python3');
    addCmake();
    const { status, output } = install();
    expect(output).toMatch(/prebuilds\/.*morphmlp\.node does not load: /);
    expect(output).toMatch(/built the addon with CMake in \d+\.\d s: build\/Release\/morphmlp\.node/);
    expect(status).toBe(0);
  });

  test('does nothing the second time, and builds again when a source is newer', () => {
    addTools('g++', 'make');
    addCmake();
    install();
    expect(install().output).toBe('morphmlp: the addon is up to date: build/Release/morphmlp.node\n');
    writeFileSync(path.join(installed, 'native', 'newer.h'), '');
    expect(install().output).toContain('built the addon with CMake');
    rmSync(path.join(installed, 'native', 'newer.h'));
  });

  test('builds with node-gyp without CMake', () => {
    addTools('g++', 'make', 'python3');
    addNodeGyp();
    const { status, output } = install();
    expect(output).toContain('built the addon with node-gyp');
    expect(existsSync(path.join(installed, gypBuild))).toBe(true);
    expect(status).toBe(0);
  });

  test('builds with node-gyp if the build with CMake fails', () => {
    addTools('g++', 'make', 'python3');
    addCmake('echo "error: no such thing" >&2; exit 1');
    addNodeGyp();
    const { output } = install();
    expect(output).toContain('morphmlp: CMake: the build failed; ');
    expect(output).toContain('built the addon with node-gyp');
  });

  test('rejects a build whose addon does not load', () => {
    addTools('g++', 'make');
    addCmake(
      `/bin/mkdir -p "${path.join(installed, 'build/Release')}"; echo broken > "${path.join(installed, cmakeBuild)}"`,
    );
    const { status, output } = install();
    expect(output).toMatch(/CMake: build\/Release\/morphmlp\.node does not load: /);
    expect(status).toBe(1);
  });

  test('starts over if a stale build folder stops CMake', () => {
    addTools('g++', 'make');
    placeAddon(installed, 'build/CMakeCache.txt', __filename);
    const configured = `[ -e "${path.join(installed, 'build/CMakeCache.txt')}" ] && echo "remove CMakeCache.txt" && exit 1`;
    writeTool(
      tools,
      'cmake',
      `case "$1" in -E) ${generators};; --build) ${deliver(path.join(installed, cmakeBuild))};; *) ${configured}; exit 0;; esac`,
    );
    expect(install().output).toContain('built the addon with CMake');
  });

  test('reports what was tried and what to install if there is no build tool', () => {
    const { status, output } = install();
    expect(output).toContain(`prebuilt: the package has none for ${platformName()}`);
    expect(output).toContain('CMake: missing: cmake, a C++ compiler (g++ or clang++), make or ninja');
    expect(output).toMatch(/node-gyp: missing: .*python3, make, a C\+\+ compiler/);
    expect(output).toContain('apt-get install g++ make cmake');
    expect(status).toBe(1);
  });

  test('shows the errors of a failed build and where its log is', () => {
    addTools('g++', 'make');
    addCmake('echo "addon.cc:3: error: expected a semicolon" >&2; exit 1');
    const { status, output } = install({ MORPHMLP_BUILD: 'cmake' });
    const [, log] = /the build failed; the log is (.*):/.exec(output)!;
    expect(path.relative(copy.consumer, log!)).toMatch(/^\.\./); // npm removes the package when its script fails
    expect(output).toContain('addon.cc:3: error: expected a semicolon');
    expect(readFileSync(log!, 'utf8')).toContain('expected a semicolon');
    rmSync(path.dirname(log!), { recursive: true });
    expect(status).toBe(1);
  });

  test('builds with the tool of MORPHMLP_BUILD even if there is a prebuilt addon', () => {
    placeAddon(installed, prebuilt);
    addTools('g++', 'make', 'python3');
    addNodeGyp();
    expect(install({ MORPHMLP_BUILD: 'gyp' }).output).toContain('built the addon with node-gyp');
    expect(install({ MORPHMLP_BUILD: 'skip' }).output).toBe('morphmlp: MORPHMLP_BUILD=skip: the addon was not built\n');
  });

  test('lists the choices of MORPHMLP_BUILD if it is unknown', () => {
    const { status, output } = install({ MORPHMLP_BUILD: 'make' });
    expect(output).toBe("morphmlp: MORPHMLP_BUILD: expected cmake, gyp or skip, got 'make'\n");
    expect(status).toBe(1);
  });

  test('builds with node-gyp in a folder whose path has a space and letters beyond ASCII', () => {
    const strange = unpackPackage('morphmlp x ü ');
    try {
      addTools('g++', 'make', 'python3');
      addNodeGyp(deliverGyp, strange);
      const { status, output } = install({ MORPHMLP_BUILD: 'gyp' }, strange.installed);
      expect(output).toContain(`built the addon with node-gyp`);
      expect(existsSync(path.join(strange.installed, gypBuild))).toBe(true);
      expect(status).toBe(0);
    } finally {
      removePackage(strange);
    }
  });

  test('shows compilation progress on the terminal even if npm hides its output, and works without a terminal', () => {
    addTools('g++', 'make');
    const slow = `echo "[1/2] Building CXX object x/one.cc.o"; /bin/sleep 1.5; ${deliver(path.join(installed, cmakeBuild))}`;
    addCmake(slow);
    expect(install({ MORPHMLP_BUILD: 'cmake' }).status).toBe(0); // no terminal
    rmSync(path.join(installed, 'build'), { recursive: true });
    const script = `"${process.execPath}" "${path.join(installed, 'tools', 'install', 'install.cjs')}" > /dev/null 2>&1`;
    const pty = 'import pty, sys; sys.exit(pty.spawn(["/bin/sh", "-c", sys.argv[1]]) >> 8)';
    const env = { PATH: tools, MORPHMLP_BUILD: 'cmake' };
    const shown = spawnSync('/usr/bin/env', ['python3', '-c', pty, script], {
      encoding: 'utf8',
      env: { ...env, PATH: `${tools}:/usr/bin:/bin` },
    });
    expect(shown.stdout).toMatch(/building the addon with CMake … file 1, \d+ s, one\.cc/);
    expect(shown.status).toBe(0);
  });
});
