'use strict';
// Compiles all CUDA code for the architectures of the build (sm_80, sm_90a) into build-cuda/, whether there is a GPU or not,
// and fails on what ptxas has to say of a kernel: spilled registers, a stack frame in a product, warnings. Prints how many
// registers the largest kernels take. Without nvcc it says so and leaves.
const { spawnSync } = require('node:child_process');
const { existsSync, rmSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-cuda');
const found = ['nvcc', '/usr/local/cuda/bin/nvcc'].find((name) => !spawnSync(name, ['--version']).error);
if (!found) {
  console.log('nvcc is not on this machine: the CUDA kernels were not compiled');
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

/** One record for each kernel and architecture that ptxas tells of. */
function kernelsIn(log) {
  return log.split('ptxas info    : Compiling entry function ').flatMap((text) => {
    const head = /^'(\w+)' for '(\w+)'/.exec(text);
    if (!head) return [];
    const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
    return {
      name: head[1],
      arch: head[2],
      registers: number(/Used (\d+) registers/),
      spilled: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
    };
  });
}

rmSync(path.join(folder, 'CMakeFiles', 'device.dir'), { recursive: true, force: true }); // ptxas speaks only while it compiles
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
}
for (const { name, arch, spilled } of spilling) console.error(`${arch}: ${name} spills ${spilled} bytes`);
for (const line of warnings) console.error(line);
if (archs.length < 2) console.error(`expected two architectures, ptxas told of: ${archs.join(', ') || 'none'}`);
process.exit(spilling.length + warnings.length > 0 || archs.length < 2 ? 1 : 0);
