// Times our models in a process of its own, with the requests and answers of bench/peers/bench.py, so that peers can take turns:
// setup, run, output, drop CASE; peak; quit. MORPHMLP_BENCH_DEVICE, _PRECISION, _RECOMPUTE, _LAUNCH and _GEMM set the device, the type of
// activations, the number of recomputed blocks, whether graphs are replayed, and the instructions of bf16 products.
import { readFileSync } from 'node:fs';
import readline from 'node:readline';
import type { Device, GemmBackend, Precision } from '../../core/native';
import { fmaPeak, instructionSet, memory, requireDevice, requirePrecision, threads, useGemm } from '../../core/runtime';
import { setDefaultDevice } from '../../core/tensor';
import type { Launch } from '../kernels/rounds';
import { parseCase, type Where } from './case';
import { Served } from './served';

const where: Where = {
  device: (process.env.MORPHMLP_BENCH_DEVICE ?? 'cpu') as Device,
  precision: (process.env.MORPHMLP_BENCH_PRECISION ?? 'f32') as Precision,
  recompute: Number(process.env.MORPHMLP_BENCH_RECOMPUTE ?? 0),
  launch: (process.env.MORPHMLP_BENCH_LAUNCH ?? 'launched') as Launch,
};
const served = new Map<string, Served>();

function setup(text: string): object {
  const one = new Served(parseCase(text), where);
  const error = one.verify();
  const output = one.output();
  for (let i = 0; i < 2; i++) one.run();
  served.set(text, one);
  return { peer: 'morphmlp', case: text, threads: threads(), kernels: instructionSet(), error, output };
}

/** Of the process on a CPU, everything included; of tensors on a GPU. */
function peakMb(): number {
  if (where.device === 'cuda') return memory('cuda').peak / 2 ** 20;
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

function answer(line: string): object {
  const [verb = '', ...rest] = line.trim().split(/\s+/);
  const text = rest.join(' ');
  if (verb === 'setup') return setup(text);
  if (verb === 'peak') return { gflops: fmaPeak(0.3, where.device, where.precision), mb: peakMb() };
  const one = served.get(text);
  if (!one) throw new Error(`expected 'setup ${text}' before '${verb} ${text}'`);
  if (verb === 'run') return { case: text, ms: one.run() };
  if (verb === 'output') return { case: text, output: one.output() };
  if (verb !== 'drop') throw new Error(`expected setup, run, output, peak, drop or quit, got '${verb}'`);
  one.dispose();
  served.delete(text);
  return { case: text, dropped: true };
}

function serve(line: string): void {
  if (line.trim() === 'quit') process.exit(0);
  try {
    console.log(JSON.stringify(answer(line)));
  } catch (error) {
    console.log(JSON.stringify({ error: (error as Error).message }));
  }
}

requireDevice(where.device);
if (process.env.MORPHMLP_BENCH_GEMM) useGemm(process.env.MORPHMLP_BENCH_GEMM as GemmBackend);
requirePrecision(where.precision, where.device);
setDefaultDevice(where.device);
readline.createInterface({ input: process.stdin }).on('line', serve);
