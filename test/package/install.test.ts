import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { platformName } from '../../tools/install/find_addon.cjs';
import { builtAddon, placeAddon, removePackage, unpackPackage, writeTool } from './package_copy';

const copy = unpackPackage();
const { installed } = copy;
const tools = path.join(copy.consumer, 'tools');
const prebuilt = `prebuilds/${platformName()}/morphmlp.node`;
const cmakeBuild = 'build/Release/morphmlp.node';
const gypBuild = 'native/build/Release/morphmlp.node';

// Stand-ins for the tools: a build only copies the addon to where the real one would write it.
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

// node-gyp is a Node script, so its stand-in is one too.
function addNodeGyp(ok = true): string {
  const file = path.join(tools, 'node-gyp.js');
  const target = JSON.stringify(path.join(installed, gypBuild));
  const copyAddon = `fs.mkdirSync(require('path').dirname(${target}), { recursive: true }); fs.copyFileSync(${JSON.stringify(builtAddon)}, ${target});`;
  writeFileSync(file, `const fs = require('fs'); ${ok ? copyAddon : 'process.exit(1)'}`);
  return file;
}

function install(env: Record<string, string> = {}): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, [path.join(installed, 'tools', 'install', 'install.cjs')], {
    encoding: 'utf8',
    env: { PATH: tools, npm_config_node_gyp: path.join(tools, 'node-gyp.js'), ...env },
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
  test('takes a prebuilt that loads, and builds nothing', () => {
    placeAddon(installed, prebuilt);
    const { status, output } = install();
    expect(output).toBe(`morphmlp: using the prebuilt addon for ${platformName()}\n`);
    expect(status).toBe(0);
  });

  test('passes over a prebuilt that does not load, saying so, and builds with CMake', () => {
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

  test('builds with node-gyp where there is no CMake', () => {
    addTools('g++', 'make', 'python3');
    addNodeGyp();
    const { status, output } = install();
    expect(output).toContain('built the addon with node-gyp');
    expect(existsSync(path.join(installed, gypBuild))).toBe(true);
    expect(status).toBe(0);
  });

  test('builds with node-gyp where the build with CMake fails', () => {
    addTools('g++', 'make', 'python3');
    addCmake('echo "error: no such thing" >&2; exit 1');
    addNodeGyp();
    const { output } = install();
    expect(output).toContain('morphmlp: CMake: the build failed; ');
    expect(output).toContain('built the addon with node-gyp');
  });

  test('does not take a build that made an addon which does not load', () => {
    addTools('g++', 'make');
    addCmake(
      `/bin/mkdir -p "${path.join(installed, 'build/Release')}"; echo broken > "${path.join(installed, cmakeBuild)}"`,
    );
    const { status, output } = install();
    expect(output).toMatch(/CMake: build\/Release\/morphmlp\.node does not load: /);
    expect(status).toBe(1);
  });

  test('starts over when a folder left by another build stops CMake', () => {
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

  test('says what was tried and what to install where there is no tool at all', () => {
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
    const log = path.join(installed, 'build-logs', 'cmake.log');
    expect(output).toContain(`the build failed; ${log} has it whole`);
    expect(output).toContain('addon.cc:3: error: expected a semicolon');
    expect(readFileSync(log, 'utf8')).toContain('expected a semicolon');
    expect(status).toBe(1);
  });

  test('builds the way MORPHMLP_BUILD asks, also where a prebuilt would do', () => {
    placeAddon(installed, prebuilt);
    addTools('g++', 'make', 'python3');
    addNodeGyp();
    expect(install({ MORPHMLP_BUILD: 'gyp' }).output).toContain('built the addon with node-gyp');
    expect(install({ MORPHMLP_BUILD: 'skip' }).output).toBe('morphmlp: MORPHMLP_BUILD=skip: the addon was not built\n');
  });

  test('names the choices of MORPHMLP_BUILD when it is none of them', () => {
    const { status, output } = install({ MORPHMLP_BUILD: 'make' });
    expect(output).toBe("morphmlp: MORPHMLP_BUILD: expected cmake, gyp or skip, got 'make'\n");
    expect(status).toBe(1);
  });
});
