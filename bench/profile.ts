// npm run bench:profile -- [--variant video-s] [--work forward|train] [--batch 1] [--threads N] [--steps 3] [--out FILE]
// Where the time of a whole model goes: every kernel it calls, with time, arithmetic and the bytes of the buffers it was given.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { backward, noGrad } from '../src/autograd';
import type { KernelName } from '../src/kernels';
import { create } from '../src/models/morphmlp';
import { kernels, native, type Handle, type KernelArgument } from '../src/native';
import { softCrossEntropy } from '../src/ops/cross_entropy';
import { AdamW, parameterGroups } from '../src/optim';
import { fmaPeak, memory, resetPeakMemory, setThreads, threads } from '../src/runtime';
import { scope } from '../src/scope';
import { tensor } from '../src/tensor';
import { uniform } from '../src/cases/random';
import { machine } from '../src/bench/machine';

interface Row {
  kernel: string;
  calls: number;
  ms: number;
  macs: number;
  bytes: number;
}

type Sizes = readonly number[];

const spatial = ([b, t, h, w, c]: Sizes) => b! * t! * h! * w! * c! * c!;
const branches = (sizes: Sizes) => (sizes[6] ? 2 : 3);

/** Multiply-adds of a call from its size arguments; kernels not listed do next to none. */
const MACS: Partial<Record<KernelName, (sizes: Sizes) => number>> = {
  linear_forward: ([rows, n, k]) => rows! * n! * k!,
  linear_backward: ([rows, n, k]) => 2 * rows! * n! * k!,
  norm_mlp_forward: ([rows, c, hidden]) => 2 * rows! * c! * hidden!,
  norm_mlp_backward: ([rows, c, hidden]) => 4 * rows! * c! * hidden!,
  norm_temporal_forward: ([b, t, hw, c, groups]) => b! * t! * hw! * c! * ((t! * c!) / groups! + c!),
  norm_temporal_backward: ([b, t, hw, c, groups]) => 2 * b! * t! * hw! * c! * ((t! * c!) / groups! + c!),
  norm_spatial_branches: (sizes) => branches(sizes) * spatial(sizes),
  norm_spatial_branches_backward: (sizes) => 2 * branches(sizes) * spatial(sizes),
  norm_spatial_mix: spatial,
  norm_spatial_mix_backward: (sizes) => 2 * spatial(sizes),
  norm_spatial_apply: (sizes) => (branches(sizes) + 1) * spatial(sizes),
};

const sizeOf = new WeakMap<object, number>();
const rows = new Map<string, Row>();

function watchBuffers(): void {
  const make = native.bufferNew.bind(native);
  const width = { f32: 4, i32: 4, bf16: 2, u8: 1 };
  native.bufferNew = (dtype, device, length) => {
    const handle = make(dtype, device, length);
    sizeOf.set(handle, width[dtype] * length);
    return handle;
  };
}

function bytesOf(args: readonly KernelArgument[]): number {
  const handles = new Set(args.flat().filter((a): a is Handle => typeof a === 'object' && a !== null));
  return [...handles].reduce((sum, handle) => sum + (sizeOf.get(handle) ?? 0), 0);
}

function watchKernel(name: KernelName): void {
  const kernel = kernels[name];
  kernels[name] = (...args) => {
    const row = rows.get(name) ?? { kernel: name, calls: 0, ms: 0, macs: 0, bytes: 0 };
    const start = performance.now();
    kernel(...args);
    row.ms += performance.now() - start;
    row.calls++;
    row.macs += MACS[name]?.(args.filter((a) => typeof a !== 'object').map(Number)) ?? 0;
    row.bytes += bytesOf(args);
    rows.set(name, row);
  };
}

interface Options {
  variant: string;
  work: string;
  batch: number;
  steps: number;
}

/** The work of one step, on a model of this variant. */
function stepOf({ variant, work, batch }: Options): () => void {
  const model = create(variant);
  const { config } = model;
  const shape = [batch, 3, config.kind === 'video' ? config.frames : 1, 224, 224];
  const pixels = uniform(
    1,
    shape.reduce((a, b) => a * b, 1),
  );
  const targets = new Float32Array(batch * config.numClasses).fill(1 / config.numClasses);
  if (work === 'forward') return () => scope(() => noGrad(() => model.eval().forward(tensor(pixels, shape)).floats()));
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-4 });
  return () => {
    const target = [batch, config.numClasses];
    scope(() => backward(softCrossEntropy(model.train().forward(tensor(pixels, shape)), tensor(targets, target))));
    optimizer.step();
    optimizer.zeroGrad();
  };
}

function measure(options: Options): { ms: number; peakBytes: number } {
  const step = stepOf(options);
  step();
  step();
  rows.clear();
  resetPeakMemory();
  const start = performance.now();
  for (let i = 0; i < options.steps; i++) step();
  for (const row of rows.values())
    for (const key of ['calls', 'ms', 'macs', 'bytes'] as const) row[key] /= options.steps;
  return { ms: (performance.now() - start) / options.steps, peakBytes: memory().peak };
}

function show(row: Row, whole: number, peak: number): void {
  const gflops = (2 * row.macs) / row.ms / 1e6;
  const arithmetic = row.macs
    ? `${gflops.toFixed(1).padStart(6)} GFLOP/s ${((100 * gflops) / peak).toFixed(0).padStart(3)}%`
    : ''.padEnd(19);
  const time = `${row.ms.toFixed(1).padStart(8)} ms ${((100 * row.ms) / whole).toFixed(1).padStart(5)}%`;
  console.log(
    `${row.kernel.padEnd(31)} ${String(row.calls).padStart(4)}x ${time}  ${arithmetic}  ${(row.bytes / 1e6).toFixed(0).padStart(6)} MB`,
  );
}

function main(): void {
  const { values } = parseArgs({
    options: {
      ...{ variant: { type: 'string', default: 'video-s' }, work: { type: 'string', default: 'forward' } },
      ...{ batch: { type: 'string', default: '1' }, steps: { type: 'string', default: '3' } },
      ...{ threads: { type: 'string' }, out: { type: 'string' } },
    },
  });
  if (values.work !== 'forward' && values.work !== 'train')
    throw new Error(`expected --work forward or train, got ${values.work}`);
  setThreads(Number(values.threads ?? threads()));
  watchBuffers();
  Object.keys(kernels).forEach((name) => watchKernel(name as KernelName));
  const options = {
    variant: values.variant,
    work: values.work,
    batch: Number(values.batch),
    steps: Number(values.steps),
  };
  const peak = fmaPeak(0.5);
  const { ms, peakBytes } = measure(options);
  const sorted = [...rows.values()].sort((a, b) => b.ms - a.ms);
  sorted.forEach((row) => show(row, ms, peak));
  const within = sorted.reduce((sum, row) => sum + row.ms, 0);
  console.log(
    `${ms.toFixed(1)} ms a step, ${(ms - within).toFixed(1)} of it outside the kernels; FMA peak ${peak.toFixed(0)} GFLOP/s; tensors at most ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  const file = values.out ?? path.join('bench', 'results', `profile_${options.variant}_${options.work}.json`);
  writeFileSync(
    file,
    `${JSON.stringify({ machine: machine(), ...options, ms, peakGflops: peak, peakBytes, rows: sorted }, null, 1)}\n`,
  );
  console.log(`written to ${file}`);
}

main();
