'use strict';
// Builds the smoke test of the CUDA kernels (test/smoke) as one program that needs the NVIDIA driver alone.
//   node tools/build/smoke.cjs [--emulated] [--out build/smoke]
// By nvcc for sm_90a, in the debug build in which a wait for an mbarrier traps where it would hang. --emulated: the same
// sources by g++ for the emulation on the CPU. $CUDACXX and $CXX name other compilers.
const { spawnSync } = require('node:child_process');
const { mkdirSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { findNvcc } = require('./cmake.cjs');

const root = path.join(__dirname, '..', '..');
const ALLOCATOR = ['allocator', 'arena', 'guard_pages'].map((name) => `native/runtime/${name}.cc`); // BlockCache's size classes
const OPS = ['adamw', 'gelu', 'layer_norm', 'linear', 'norm_mlp', 'temporal_fc'];

const filesOf = (folder, pattern) =>
  readdirSync(path.join(root, folder))
    .filter((name) => pattern.test(name))
    .map((name) => `${folder}/${name}`);

/** Sources: those that nvcc takes as CUDA, and C++. */
function sources(emulated) {
  const device = emulated
    ? ['test/emulator/device.cc', 'test/emulator/fibers.cc']
    : filesOf('native/cuda/runtime', /\.cc$/);
  return {
    cuda: [...OPS.map((op) => `native/cuda/ops/${op}.cu`), ...filesOf('test/smoke', /\.cu$/)],
    cpp: [...ALLOCATOR, ...device, ...filesOf('native/cuda/gemm', /\.cc$/), ...filesOf('test/smoke', /\.cc$/)],
  };
}

/** The command that builds `out`. */
function commandFor({ emulated, out }) {
  const { cuda, cpp } = sources(emulated);
  const include = ['native', 'include', '.'].map((name) => `-I${path.join(root, name)}`);
  const common = ['-std=c++17', ...include, '-o', out];
  if (emulated) {
    const flags = ['-O1', '-g', '-pthread', '-Wall', '-Wextra', '-Wno-unknown-pragmas', '-DMORPHMLP_CUDA_EMULATED'];
    return [process.env.CXX ?? 'g++', ...flags, ...common, '-x', 'c++', ...cuda, ...cpp];
  }
  const nvcc = findNvcc();
  if (!nvcc) throw new Error('nvcc is not on the PATH, in $CUDACXX or in /usr/local/cuda/bin');
  const facts = ['-DMORPHMLP_CUDA_ARCHITECTURES="sm_90a"', '-DMORPHMLP_CUDA_FLAGS="smoke"', '-DMORPHMLP_CUDA_DEBUG'];
  const flags = ['-gencode=arch=compute_90a,code=sm_90a', '-O3', '--threads', '0', '-cudart', 'static', ...facts];
  const linked = ['-Xcompiler=-Wall,-Wextra', '-Xcompiler=-static-libstdc++,-static-libgcc', '-ldl', '-lpthread'];
  return [nvcc, ...flags, ...linked, ...common, ...cuda, ...cpp];
}

function build({ emulated = false, out }) {
  mkdirSync(path.dirname(out), { recursive: true });
  const [program, ...args] = commandFor({ emulated, out });
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error || status !== 0) throw new Error(`${program} failed${error ? `: ${error.message}` : ''}`);
}

module.exports = { build, commandFor };
if (require.main === module)
  try {
    const { values } = parseArgs({ options: { emulated: { type: 'boolean' }, out: { type: 'string' } } });
    build({ emulated: values.emulated, out: path.resolve(root, values.out ?? 'build/smoke') });
  } catch (error) {
    console.error(`smoke: ${error.message}`);
    process.exitCode = 1;
  }
