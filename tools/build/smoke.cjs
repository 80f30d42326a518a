'use strict';
// Builds the smoke test of the CUDA kernels (test/smoke) as one program that needs the NVIDIA driver alone.
//   node tools/build/smoke.cjs [--out build/smoke]
// By nvcc ($CUDACXX) for sm_90a, in the debug build in which a wait for an mbarrier traps where it would hang. For the emulation on the
// CPU, CMake's target `emulated` builds it.
const { spawnSync } = require('node:child_process');
const { mkdirSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const native = require('../../native/sources.cjs');
const { findNvcc } = require('./cmake.cjs');

const root = path.join(__dirname, '..', '..');

/** The command that builds `out`. */
function commandFor(out) {
  const nvcc = findNvcc();
  if (!nvcc) throw new Error('nvcc is not on the PATH, in $CUDACXX or in /usr/local/cuda/bin');
  const sources = ['smoke', 'smoke_tests', 'cuda_runtime']
    .flatMap(native.sources)
    .map((file) => path.join('native', file));
  const include = ['native', 'include', '.'].map((name) => `-I${path.join(root, name)}`);
  const facts = ['-DMORPHMLP_CUDA_ARCHITECTURES="sm_90a"', '-DMORPHMLP_CUDA_FLAGS="smoke"', '-DMORPHMLP_CUDA_DEBUG'];
  const flags = ['-gencode=arch=compute_90a,code=sm_90a', '-O3', '--threads', '0', '-cudart', 'static', ...facts];
  const linked = ['-Xcompiler=-Wall,-Wextra', '-Xcompiler=-static-libstdc++,-static-libgcc', '-ldl', '-lpthread'];
  return [nvcc, ...flags, ...linked, '-std=c++17', ...include, '-o', out, ...sources];
}

function build(out) {
  mkdirSync(path.dirname(out), { recursive: true });
  const [program, ...args] = commandFor(out);
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error || status !== 0) throw new Error(`${program} failed${error ? `: ${error.message}` : ''}`);
}

module.exports = { build };
if (require.main === module)
  try {
    const { values } = parseArgs({ options: { out: { type: 'string' } } });
    build(path.resolve(root, values.out ?? 'build/smoke'));
  } catch (error) {
    console.error(`smoke: ${error.message}`);
    process.exitCode = 1;
  }
