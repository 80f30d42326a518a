'use strict';
// Describes the machine for the records of steps: GPU, driver, clocks, PyTorch, processor.
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

/** Properties of the first visible GPU by nvidia-smi; null if that is unavailable. */
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

/** Loads the addon in a child process: { status, device, compiled }. `status` is 'available' or the reason why not. */
function cuda() {
  const script = `const { addon } = require('./native/find_addon.cjs').loadAddon(), status = addon.cudaStatus();
    console.log(JSON.stringify({ status, compiled: addon.cudaCompiled(), device: status === 'available' ? addon.cudaDevice() : null }))`;
  const run = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  if (run.status === 0) return JSON.parse(run.stdout);
  const reason =
    run.stderr.split('\n').find((line) => /Error: /.test(line)) ?? `loading the addon ended with ${run.signal}`;
  return { status: reason.replace(/^.*?Error: /, ''), compiled: '', device: null };
}

const python = () => process.env.PYTHON || 'python3';

/** Version of PyTorch; null if Python cannot import it. */
function torch() {
  const run = spawnSync(python(), ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' });
  return run.status === 0 ? run.stdout.trim() : null;
}

const cpu = () => ({ model: os.cpus()[0]?.model ?? '', threads: os.availableParallelism() });

module.exports = { root, smi, cuda, torch, cpu, python };
