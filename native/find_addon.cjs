'use strict';
// Finds and loads the addon, for the install script and, through src/core/addon_path.ts, for the library.
const { existsSync, statSync } = require('node:fs');
const path = require('node:path');

// A bundler that writes ES modules leaves no __dirname.
const here = typeof __dirname === 'string' ? __dirname : process.cwd();
const root = path.join(here, '..');
const cmakeBuild = path.join(root, 'build', 'Release', 'morphmlp.node');
const gypBuild = path.join(root, 'native', 'build', 'Release', 'morphmlp.node');

function usesMusl() {
  if (process.platform !== 'linux') return false;
  process.report.excludeNetwork = true;
  return !process.report.getReport().header.glibcVersionRuntime;
}

/** The folder of prebuilds/ for this machine: linux-x64, linux-x64-musl, darwin-arm64, … */
function platformName() {
  return `${process.platform}-${process.arch}${usesMusl() ? '-musl' : ''}`;
}

function prebuilt() {
  return path.join(root, 'prebuilds', platformName(), 'morphmlp.node');
}

const age = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Paths in the order they are tried: local builds, newest first, then the prebuilt of the package. */
function candidates() {
  if (process.env.MORPHMLP_ADDON) return [path.resolve(process.env.MORPHMLP_ADDON)];
  return [...[cmakeBuild, gypBuild].sort((a, b) => age(b) - age(a)), prebuilt()];
}

function tryLoad(file) {
  if (!existsSync(file)) return { file, reason: 'not found' };
  try {
    return { file, addon: require(file) };
  } catch (error) {
    return { file, reason: String(error.message).split('\n')[0] };
  }
}

const BUNDLED = [
  'morphmlp was bundled into another file, but its addon and its decoding threads are files of their own. Keep the package external,',
  "and install it beside the bundle: esbuild --external:morphmlp; external: ['morphmlp'] of rollup; externalsType: 'commonjs' and",
  "externals: ['morphmlp'] of webpack.",
];

function failure(tried) {
  if (!existsSync(path.join(here, 'find_addon.cjs'))) return new Error(BUNDLED.join(' '));
  const fix = process.env.MORPHMLP_ADDON
    ? ['MORPHMLP_ADDON is set to this file; unset it to use the addon of the package.']
    : [
        'To build it, or to see which prerequisites are missing, run:',
        `  node ${path.join(root, 'tools', 'install', 'install.cjs')}`,
        'npm install runs this script, except with --ignore-scripts and in package managers that ask before running scripts.',
      ];
  const places = tried.map(({ file, reason }) => `  ${file}: ${reason}`);
  return new Error(['the native addon of morphmlp could not be loaded. Tried:', ...places, ...fix].join('\n'));
}

/** Loads the first candidate that works: { addon, file, tried }. Throws an Error that lists every path with its reason. */
function loadAddon() {
  const tried = [];
  for (const file of candidates()) {
    const result = tryLoad(file);
    if (result.addon) return { addon: result.addon, file, tried };
    tried.push(result);
  }
  throw failure(tried);
}

module.exports = { root, cmakeBuild, gypBuild, prebuilt, platformName, candidates, loadAddon };
