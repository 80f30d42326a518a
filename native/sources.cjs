'use strict';
// Native sources and compiler flags, used by CMakeLists.txt and binding.gyp:
//   node sources.cjs patterns GROUP   glob patterns of a group, relative to this folder
//   node sources.cjs sources GROUP    files that match them, relative to this folder
//   node sources.cjs flags [ISA]      flags of all sources, or the additional flags of an instruction set
//   node sources.cjs isas ARCH        instruction sets of an architecture (process.arch of Node)
//   node sources.cjs gyp_targets ARCH the same, as target names of binding.gyp
const { readdirSync } = require('node:fs');
const path = require('node:path');

const kernels = [
  'cuda/*.cc',
  'cuda/gemm/*.cc',
  'cuda/conv/*.cu',
  'cuda/ops/*.cu',
  'baselines/*.cu',
  'baselines/cublaslt/*.cc',
];

const cuda_runtime = ['cuda/runtime/*.cc'];

const groups = {
  // Compiled once, for the baseline CPU. `core` is in both libraries, the addon and libmorphmlp.
  core: ['runtime/*.cc', 'bindings/*.cc', 'baselines/*.cc'],
  addon: ['node/*.cc'],
  c_api: ['c_api/*.cc'],
  // Kernels, compiled once per instruction set in a namespace of its name (MORPHMLP_ISA).
  cpu: ['cpu/*.cc', 'cpu/gemm/*.cc', 'cpu/simd/*.cc', 'cpu/ops/*.cc'],
  // Each of these implements runtime/cuda.h. `emulated` compiles cuda/**/*.cu for the CPU, for tests.
  no_cuda: ['no_cuda.cc'],
  cuda: [...kernels, ...cuda_runtime],
  cuda_runtime,
  emulated: [...kernels, '../test/emulator/fibers.cc', '../test/emulator/device.cc'],
  // The smoke test of the CUDA kernels, and what it tests; its launches need no other part of the library.
  smoke: ['../test/smoke/*.cc', '../test/smoke/*.cu'],
  smoke_tests: [
    ...['allocator', 'arena', 'guard_pages'].map((name) => `runtime/${name}.cc`),
    ...['adamw', 'gelu', 'layer_norm', 'linear', 'norm_mlp', 'temporal_fc'].map((op) => `cuda/ops/${op}.cu`),
    'cuda/gemm/*.cc',
  ],
};

// Not -ffast-math, which assumes that there are no NaNs.
const common = [
  '-O3',
  '-std=c++17',
  '-fPIC',
  '-fexceptions',
  '-fvisibility=hidden',
  '-fvisibility-inlines-hidden',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-Wall',
  '-Wextra',
  '-pthread',
];

const avx512 = [
  ...['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mfma', '-mprefer-vector-width=512'],
  // GCC 12 warns about its own header; the other instruction sets report warnings of this code.
  ...['-Wno-maybe-uninitialized', '-Wno-uninitialized'],
];
// GCC's first scheduling would move loads ahead until the accumulators of a register tile no longer fit. Clang, which
// has no such option, does not.
const neon = process.platform === 'darwin' ? [] : ['-fno-schedule-insns'];
// In link order: the linker keeps the first copy of an inline function of the standard library, which must run on every CPU.
const isas = {
  x64: {
    baseline: [],
    avx2: ['-mavx2', '-mfma', '-mf16c', '-mtune=haswell'],
    avx512,
    avx512bf16: [...avx512, '-mavx512bf16'],
  },
  arm64: {
    neon,
    neonbf16: [...neon, '-march=armv8.2-a+bf16'],
  },
};

function match(pattern) {
  const folder = path.dirname(pattern);
  if (!pattern.includes('*')) return [pattern];
  const names = readdirSync(path.join(__dirname, folder)).filter((name) => name.endsWith(path.extname(pattern)));
  return names.sort().map((name) => `${folder}/${name}`);
}

const queries = {
  patterns: (group) => groups[group],
  sources: (group) => groups[group].flatMap(match),
  flags: (isa) => (isa ? Object.assign({}, ...Object.values(isas))[isa] : common),
  isas: (arch) => Object.keys(isas[arch] ?? {}),
  gyp_targets: (arch) => queries.isas(arch).map((isa) => `cpu_${isa}`),
};

module.exports = queries;
if (require.main === module) console.log(queries[process.argv[2]](process.argv[3]).join('\n'));
