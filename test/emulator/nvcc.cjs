#!/usr/bin/env node
'use strict';
// Replaces nvcc in tests (NVCC=…/nvcc.cjs): compiles one .cu into a library for the emulated device with the C++ compiler. Launches are rewritten into calls, in the source and in the headers of its first -I; all else is the kernel as
// it stands.
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const shim = __dirname;
const given = process.argv.slice(2);
const [source, out] = [given.find((arg) => arg.endsWith('.cu')), given[given.indexOf('-o') + 1]];
const include = given.find((arg) => arg.startsWith('-I')).slice(2);
const defines = given.filter((arg) => arg.startsWith('-D'));
const folder = mkdtempSync(path.join(os.tmpdir(), 'emulated-nvcc-'));

/** f<<<a, b>>>(c); becomes emulated_launch(a, b, [=] { f(c); }); */
const rewritten = (text) =>
  text.replace(/([\w:]+)<<<([^;]*?)>>>\(([^;]*)\);/g, 'emulated_launch($2, [=] { $1($3); });');

for (const name of readdirSync(include))
  writeFileSync(path.join(folder, name), rewritten(readFileSync(path.join(include, name), 'utf8')));
const copy = path.join(folder, `${path.parse(source).name}.cc`);
writeFileSync(copy, rewritten(readFileSync(source, 'utf8')));
const folders = [
  folder,
  path.join(shim, 'plugin'),
  path.join(shim, '..', '..'),
  path.join(shim, '..', '..', 'native'),
  path.dirname(source),
];
const flags = ['-O1', '-std=c++17', '-fPIC', '-shared', '-fvisibility=hidden', '-D__CUDACC__', ...defines];
const args = [...flags, ...folders.map((one) => `-I${one}`), copy, path.join(shim, 'fibers.cc'), '-o', out];
const { status } = spawnSync(process.env.CXX ?? 'c++', args, { stdio: 'inherit' });
rmSync(folder, { recursive: true });
process.exit(status ?? 1);
