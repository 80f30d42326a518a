// Times our models in a separate process, with the protocol of bench/peers/bench.py, so that rounds of peers can be interleaved. Requests:
// setup, run, output, drop CASE; peak; quit. MORPHMLP_BENCH_DEVICE, _PRECISION, _RECOMPUTE, _LAUNCH and _GEMM set the device, the type of
// activations, the number of recomputed blocks, the launch mode and the instructions of bf16 GEMMs.
import { readFileSync } from 'node:fs';
import readline from 'node:readline';
import type { Device, GemmBackend, Precision } from '../../core/native';
import { fmaPeak, instructionSet, memory, requireDevice, threads, useGemm } from '../../core/runtime';
import { setDefaultDevice } from '../../core/tensor';
import type { Launch } from '../kernels/rounds';
import { parseCase, type Where } from './case';
import { ServedModel } from './served';

const where: Where = {
  device: (process.env.MORPHMLP_BENCH_DEVICE ?? 'cpu') as Device,
  precision: (process.env.MORPHMLP_BENCH_PRECISION ?? 'f32') as Precision,
  launch: (process.env.MORPHMLP_BENCH_LAUNCH ?? 'launched') as Launch,
};
if (process.env.MORPHMLP_BENCH_RECOMPUTE) where.recompute = Number(process.env.MORPHMLP_BENCH_RECOMPUTE);
const served = new Map<string, ServedModel>();

function setup(text: string): object {
  const one = new ServedModel(parseCase(text), where);
  const error = one.verify();
  const output = one.output();
  for (let i = 0; i < 2; i++) one.run();
  served.set(text, one);
  return { peer: 'morphmlp', case: text, threads: threads(), kernels: instructionSet(), error, output };
}

/** Peak memory: of the whole process on a CPU, of tensors on a GPU. */
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
setDefaultDevice(where.device);
readline.createInterface({ input: process.stdin }).on('line', serve);
