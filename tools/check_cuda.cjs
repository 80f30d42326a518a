'use strict';
// Compiles all CUDA code for sm_80 and sm_90a into build-cuda/, with or without a GPU, and fails on ptxas reports of spilled
// registers and on warnings. Prints registers, shared memory and blocks per SM of the GEMM kernels. Does nothing without nvcc.
const { spawnSync } = require('node:child_process');
const { existsSync, rmSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-cuda');
const found = ['nvcc', '/usr/local/cuda/bin/nvcc'].find((name) => !spawnSync(name, ['--version']).error);
if (!found) {
  console.log('nvcc was not found: the CUDA kernels were not compiled');
  process.exit(0);
}

function build(...args) {
  const tool = require.resolve('cmake-js/bin/cmake-js');
  const given = ['-d', root, '-O', folder, '--log-level', 'error', '--parallel', String(os.availableParallelism())];
  const { stdout, stderr, status } = spawnSync(process.execPath, [tool, ...args, ...given], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, MORPHMLP_CUDA: 'ON' },
  });
  if (status !== 0) {
    console.error(`${stdout}${stderr}`);
    process.exit(1);
  }
  return `${stdout}${stderr}`;
}

/** One record per kernel and architecture in the ptxas report. */
function kernelsIn(log) {
  return log.split('ptxas info    : Compiling entry function ').flatMap((text) => {
    const head = /^'(\w+)' for '(\w+)'/.exec(text);
    if (!head) return [];
    const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
    return {
      name: head[1],
      arch: head[2],
      registers: number(/Used (\d+) registers/),
      shared: number(/(\d+) bytes smem/),
      spilled: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
    };
  });
}

/** Shared memory of an SM in bytes; each block reserves 1024 bytes in addition to its own. */
const SHARED = { sm_80: 164 << 10, sm_90a: 228 << 10 };

/** Resident blocks of 256 threads per SM: 65536 registers, allocated in units of eight per thread. */
function blocksOf({ arch, registers, shared }) {
  const byRegisters = Math.floor(65536 / (Math.ceil(registers / 8) * 8 * 256));
  return Math.min(8, byRegisters, Math.floor(SHARED[arch] / (shared + 1024)));
}

/** Kinds of GEMM kernels, by a substring of the mangled name. */
const GEMMS = {
  'GEMMs on tensor cores (bf16)': '7MmaGemmINS0_7MmaBf16E',
  'GEMMs on tensor cores (f32 by 3xTF32)': '7MmaGemmINS0_9MmaTf32x3E',
  'GEMMs on FFMA units (f32)': '4Gemm',
  'fused MLPs on tensor cores (bf16)': '8FusedMlp',
};

function gemmLines(own) {
  const range = (numbers) => [...new Set([Math.min(...numbers), Math.max(...numbers)])].join(' to ');
  return Object.entries(GEMMS).flatMap(([kind, word]) => {
    const those = own.filter(({ name }) => name.includes(word));
    if (those.length === 0) return [];
    const [registers, shared] = [those.map((k) => k.registers), those.map((k) => k.shared)].map(range);
    const blocks = range(those.map(blocksOf));
    return `  ${those.length} ${kind}: ${registers} registers, ${shared} bytes shared, ${blocks} blocks of 8 warps an SM`;
  });
}

rmSync(path.join(folder, 'CMakeFiles', 'device.dir'), { recursive: true, force: true }); // ptxas reports only when it compiles
const options = ['--CDMORPHMLP_CUDA=ON', '--CDCMAKE_CUDA_FLAGS=-Xptxas=-v'];
if (!existsSync(folder)) build('configure', ...options);
const log = build('build', '--target', 'device', ...options);
const kernels = kernelsIn(log);
const warnings = log
  .split('\n')
  .filter((line) => /ptxas (warning|error)|\bwarning\b.*#|advisory|: warning:/i.test(line));
const spilling = kernels.filter(({ spilled }) => spilled > 0);
const archs = [...new Set(kernels.map(({ arch }) => arch))];
for (const arch of archs) {
  const own = kernels.filter((k) => k.arch === arch);
  console.log(`${arch}: ${own.length} kernels, at most ${Math.max(...own.map((k) => k.registers))} registers`);
  console.log(gemmLines(own).join('\n'));
}
for (const { name, arch, spilled } of spilling) console.error(`${arch}: ${name} spills ${spilled} bytes`);
for (const line of warnings) console.error(line);
if (archs.length < 2) console.error(`expected two architectures, got: ${archs.join(', ') || 'none'}`);
process.exit(spilling.length + warnings.length > 0 || archs.length < 2 ? 1 : 0);
