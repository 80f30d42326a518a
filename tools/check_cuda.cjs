'use strict';
// Compiles all CUDA code for the architectures of the build (sm_80, sm_90a) into build-cuda/, whether there is a GPU or not. Fails on
// spilled registers, on warnings, and on epilogues of products that read memory after they have stored: such a read waits for the store,
// which may alias. Prints registers, shared memory and blocks an SM of the products. Without nvcc it prints that and exits with 0.
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync, rmSync } = require('node:fs');
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

/** Entries of `ptx`, with the number of global loads, of global stores, and of loads behind the first store. */
function memoryOrder(ptx) {
  return ptx
    .split(/^\.visible \.entry |^\.entry |^\.weak \.entry /m)
    .slice(1)
    .map((text) => {
      const order = [...text.matchAll(/\b(ld|st)\.(?:volatile\.)?global/g)].map(([, kind]) => kind);
      const first = order.indexOf('st');
      const late = first < 0 ? 0 : order.slice(first).filter((kind) => kind === 'ld').length;
      return { name: /^\w+/.exec(text)[0], loads: order.filter((kind) => kind === 'ld').length, first, late };
    });
}

/** Complaints about the epilogues of test/cuda/epilogue_probe.cu. */
function checkEpilogues() {
  const source = path.join(root, 'test', 'cuda', 'epilogue_probe.cu');
  const include = ['native', 'include', '.'].map((name) => `-I${path.join(root, name)}`);
  const ptx = path.join(folder, 'epilogue_probe.ptx');
  const flags = ['-gencode=arch=compute_90a,code=compute_90a', '-O3', '-DNDEBUG', '-std=c++17', '-ptx', '-o', ptx];
  const { stderr, status } = spawnSync(found, [...flags, ...include, source], { encoding: 'utf8' });
  if (status !== 0) return [`${source} does not compile: ${stderr}`];
  const entries = memoryOrder(readFileSync(ptx, 'utf8'));
  if (entries.length !== 3) return [`expected 3 kernels in ${source}, got ${entries.length}`];
  return entries
    .filter(({ loads, first, late }) => loads === 0 || first < 0 || late > 0)
    .map(({ name, loads, late }) => `${name}: ${late} of ${loads} global loads follow a store`);
}

/** One record for each kernel and architecture that ptxas reports. */
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
  'GEMMs on FFMA units (f32)': '8FfmaGemm',
  'GEMMs by TMA and wgmma (bf16)': '10HopperGemm',
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
if (archs.length < 2) console.error(`expected two architectures, ptxas reported: ${archs.join(', ') || 'none'}`);
const serialised = checkEpilogues();
for (const line of serialised) console.error(line);
process.exit(spilling.length + warnings.length + serialised.length > 0 || archs.length < 2 ? 1 : 0);
