'use strict';
// The one list of native sources and of the flags each part is compiled with. CMakeLists.txt and binding.gyp both read it:
//   node sources.cjs patterns GROUP   the group's glob patterns, relative to this folder
//   node sources.cjs sources GROUP    the files they match, relative to this folder
//   node sources.cjs flags [ISA]      the flags of every source, or those an instruction set adds
//   node sources.cjs isas ARCH        the instruction sets an architecture (Node's name of it) is compiled for
//   node sources.cjs gyp_targets ARCH the same, as names of binding.gyp's targets
const { readdirSync } = require('node:fs');
const path = require('node:path');

const kernels = ['cuda/*.cc', 'cuda/gemm/*.cc', 'cuda/conv/*.cu', 'cuda/ops/*.cu', 'baselines/*.cu', 'baselines/cublaslt/*.cc'];

const groups = {
  // Compiled once, for the least CPU. `core` is in both libraries: the addon and, for C and Python, libmorphmlp.
  core: ['runtime/*.cc', 'bindings/*.cc', 'baselines/*.cc'],
  addon: ['node/*.cc'],
  c_api: ['c_api/*.cc'],
  // Every kernel: compiled once for each instruction set, in a namespace of its name (MORPHMLP_ISA).
  cpu: ['cpu/*.cc', 'cpu/gemm/*.cc', 'cpu/simd/*.cc', 'cpu/ops/*.cc'],
  // One of these three provides what runtime/cuda.h declares. `emulated` compiles cuda/*.cu for the CPU: for tests.
  no_cuda: ['no_cuda.cc'],
  cuda: [...kernels, 'cuda/runtime/*.cc'],
  emulated: [...kernels, '../test/emulator/fibers.cc', '../test/emulator/device.cc'],
};

// Not -ffast-math: it would let a NaN pass unseen.
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

// In the order of linking: where several of these objects bring the same inline function of the standard library, the linker
// keeps the first, and that one must run on every CPU.
const isas = {
  x64: {
    baseline: [],
    avx2: ['-mavx2', '-mfma', '-mf16c', '-mtune=haswell'],
    avx512: [
      ...['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mfma', '-mprefer-vector-width=512'],
      // GCC 12 warns about its own header; the other instruction sets show the warnings of our code.
      ...['-Wno-maybe-uninitialized', '-Wno-uninitialized'],
    ],
  },
  arm64: { neon: [] },
};

function match(pattern) {
  const folder = path.dirname(pattern);
  if (!pattern.includes('*')) return [pattern];
  const names = readdirSync(path.join(__dirname, folder)).filter((name) => name.endsWith(path.extname(pattern)));
  return names.sort().map((name) => `${folder}/${name}`);
}

const ask = {
  patterns: (group) => groups[group],
  sources: (group) => groups[group].flatMap(match),
  flags: (isa) => (isa ? Object.assign({}, ...Object.values(isas))[isa] : common),
  isas: (arch) => Object.keys(isas[arch] ?? {}),
  gyp_targets: (arch) => ask.isas(arch).map((isa) => `cpu_${isa}`),
};

module.exports = ask;
if (require.main === module) console.log(ask[process.argv[2]](process.argv[3]).join('\n'));
