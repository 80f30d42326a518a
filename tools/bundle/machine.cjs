'use strict';
// What a step ran on, as its record says it: the GPU, its driver and clocks, PyTorch, the processor.
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');
const FIELDS = {
  name: 'name',
  driver: 'driver_version',
  smMHz: 'clocks.sm',
  memoryMHz: 'clocks.mem',
  mostSmMHz: 'clocks.max.sm',
  mostMemoryMHz: 'clocks.max.mem',
  watts: 'power.draw',
  celsius: 'temperature.gpu',
};

/** What nvidia-smi tells of the first GPU that CUDA shows, or null where it is not there. */
function smi() {
  const visible = (process.env.CUDA_VISIBLE_DEVICES ?? '').split(',')[0];
  const query = [
    `--query-gpu=${Object.values(FIELDS).join(',')}`,
    '--format=csv,noheader,nounits',
    `--id=${visible || 0}`,
  ];
  const run = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  if (run.status !== 0) return null;
  const values = run.stdout.trim().split(/,\s*/);
  return Object.fromEntries(
    Object.keys(FIELDS).map((name, i) => [name, Number.isFinite(+values[i]) ? +values[i] : values[i]]),
  );
}

/** Asks the addon, in a process of its own: { status, device, compiled }. `status` is 'available' or why there is no device. */
function cuda() {
  const script = `const { addon } = require('./tools/install/find_addon.cjs').loadAddon(), status = addon.cudaStatus();
    console.log(JSON.stringify({ status, compiled: addon.cudaCompiled(), device: status === 'available' ? addon.cudaDevice() : null }))`;
  const run = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  if (run.status === 0) return JSON.parse(run.stdout);
  const reason =
    run.stderr.split('\n').find((line) => /Error: /.test(line)) ?? `loading the addon ended with ${run.signal}`;
  return { status: reason.replace(/^.*?Error: /, ''), compiled: '', device: null };
}

const python = () => process.env.PYTHON || 'python3';

/** PyTorch's version, or null where Python has none. */
function torch() {
  const run = spawnSync(python(), ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' });
  return run.status === 0 ? run.stdout.trim() : null;
}

const cpu = () => ({ model: os.cpus()[0]?.model ?? '', threads: os.availableParallelism() });

module.exports = { root, smi, cuda, torch, cpu, python };
