'use strict';
// Where the addon may lie and how it is loaded: shared by the install script and, through src/core/addon_path.ts, by the library.
const { existsSync, statSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const cmakeBuild = path.join(root, 'build', 'Release', 'morphmlp.node');
const gypBuild = path.join(root, 'native', 'build', 'Release', 'morphmlp.node');

function usesMusl() {
  if (process.platform !== 'linux') return false;
  process.report.excludeNetwork = true;
  return !process.report.getReport().header.glibcVersionRuntime;
}

/** The folder of prebuilds/ that fits this machine: linux-x64, linux-x64-musl, darwin-arm64, … */
function platformName() {
  return `${process.platform}-${process.arch}${usesMusl() ? '-musl' : ''}`;
}

function prebuilt() {
  return path.join(root, 'prebuilds', platformName(), 'morphmlp.node');
}

const age = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** The places in the order they are tried: what was built here (the newest first) goes before what came with the package. */
function candidates() {
  if (process.env.MORPHMLP_ADDON) return [path.resolve(process.env.MORPHMLP_ADDON)];
  return [...[cmakeBuild, gypBuild].sort((a, b) => age(b) - age(a)), prebuilt()];
}

function tryLoad(file) {
  if (!existsSync(file)) return { file, reason: 'not there' };
  try {
    return { file, addon: require(file) };
  } catch (error) {
    return { file, reason: String(error.message).split('\n')[0] };
  }
}

function failure(tried) {
  const fix = process.env.MORPHMLP_ADDON
    ? ['MORPHMLP_ADDON names this file; unset it to use the addon of the package.']
    : [
        'To build it, or be told what is missing, run:',
        `  node ${path.join(root, 'tools', 'install', 'install.cjs')}`,
        'npm install does that by itself, except with --ignore-scripts and in package managers that ask before they run scripts.',
      ];
  const places = tried.map(({ file, reason }) => `  ${file}: ${reason}`);
  return new Error(['the native addon of morphmlp could not be loaded. Tried:', ...places, ...fix].join('\n'));
}

/** Loads the first addon that loads: { addon, file, tried }. Throws an Error that lists every place with its reason. */
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
