// npm run bench:kernels [-- --ops norm_mlp,linear] [--stages 1,3] [--threads N] [--repetitions N] [--no-verify] [--clock wall|cpu] [--out FILE]
// Every op, forward and backward, at the shapes of each stage: held to float64 first, then timed, and set against what the
// machine can do (measured beside it).
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { setThreads, threads } from '../src/runtime';
import type { KernelCase } from './kernel_case';
import { floorMs, measureLimits, type Limits } from './limits';
import { machine, median } from './machine';
import { conv3d } from './ops/conv3d.bench';
import { linear } from './ops/linear.bench';
import { memoryBound } from './ops/memory_bound.bench';
import { morphFc } from './ops/morph_fc.bench';
import { normMlp } from './ops/norm_mlp.bench';
import { normSpatial } from './ops/norm_spatial.bench';
import { normTemporal } from './ops/norm_temporal.bench';
import { temporalFc } from './ops/temporal_fc.bench';
import { CLOCKS, timeCase, type Clock, type Timing } from './time_case';
import { verify, type Errors } from './verify';

const ALL = [normSpatial, normMlp, normTemporal, morphFc, temporalFc, linear, conv3d, memoryBound].flat();

/** One direction of one op at one stage. */
interface Row {
  op: string;
  stage: number;
  shape: string;
  direction: 'forward' | 'backward';
  ms: number;
  allMs: number[];
  gflops: number;
  gbs: number;
  shareOfLimit: number;
  limit: 'FMA' | 'memory';
  limits: Limits;
  errors: Errors | null;
}

/** What a direction computes, and the bytes it must at least move. */
function workOf(c: KernelCase, direction: Row['direction'], { inputs, gradients, output }: Timing['bytes']) {
  if (direction === 'forward') return { flops: 2 * c.macs, bytes: inputs + output };
  const read = c.backwardReadsNothing ? 0 : inputs;
  return { flops: 2 * (c.backwardMacs ?? 2 * c.macs), bytes: read + output + gradients };
}

function rowOf(c: KernelCase, direction: Row['direction'], timing: Timing, limits: Limits): Omit<Row, 'errors'> {
  const allMs = timing[`${direction}Ms`];
  const { flops, bytes } = workOf(c, direction, timing.bytes);
  const [ms, floor] = [median(allMs), floorMs(flops, bytes, limits)];
  // 5%: the limits are measurements too. A time further below them is a wrong time.
  if (ms < 0.95 * floor.ms)
    throw new Error(`${c.op} stage ${c.stage} ${direction}: ${ms} ms is less than the machine's limit, ${floor.ms}`);
  return {
    ...{ op: c.op, stage: c.stage, shape: c.timed.name, direction, ms, allMs },
    ...{ gflops: flops / ms / 1e6, gbs: bytes / ms / 1e6 },
    ...{ shareOfLimit: floor.ms / ms, limit: floor.by, limits },
  };
}

interface Options {
  check: boolean;
  repetitions: number;
  clock: Clock;
}

function measure(c: KernelCase, { check, repetitions, clock }: Options): Row[] {
  const errors = check ? verify(c.verified ?? c.timed) : null;
  const before = measureLimits();
  const timing = timeCase(c.timed, repetitions, clock);
  const after = measureLimits();
  const limits = { gflops: Math.max(before.gflops, after.gflops), gbs: Math.max(before.gbs, after.gbs) };
  return (['forward', 'backward'] as const).map((direction) => ({ ...rowOf(c, direction, timing, limits), errors }));
}

function show(row: Row): void {
  const name = `${row.op} ${row.stage}`.padEnd(18);
  const figures = `${row.ms.toFixed(2).padStart(8)} ms ${row.gflops.toFixed(1).padStart(7)} GFLOP/s ${row.gbs.toFixed(1).padStart(6)} GB/s`;
  const share = `${(100 * row.shareOfLimit).toFixed(0).padStart(4)}% of ${row.limit}`;
  const error = row.errors
    ? `error ${row.errors[row.direction === 'forward' ? 'forward' : 'gradient'].toExponential(1)}`
    : 'not verified';
  console.log(`${name} ${row.direction.padEnd(8)} ${figures} ${share.padEnd(15)} ${error}`);
}

const list = (text: string | undefined) => text?.split(',').map((part) => part.trim());

function chosen(ops: string[] | undefined, stages: string[] | undefined): KernelCase[] {
  const found = ALL.filter(
    ({ op, stage }) =>
      (!ops || ops.includes(op) || ops.includes(op.split(' ')[0]!)) && (!stages || stages.includes(String(stage))),
  );
  if (found.length > 0) return found;
  const names = [...new Set(ALL.map(({ op }) => op))].join(', ');
  throw new Error(`nothing to time: expected --ops of ${names} and --stages of 1 to 4`);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      ...{ ops: { type: 'string' }, stages: { type: 'string' }, out: { type: 'string' } },
      ...{ threads: { type: 'string' }, repetitions: { type: 'string', default: '9' } },
      clock: { type: 'string', default: 'wall' },
      'no-verify': { type: 'boolean', default: false },
    },
  });
  if (values.clock !== 'wall' && values.clock !== 'cpu')
    throw new Error(`expected --clock wall or cpu, got ${values.clock}`);
  setThreads(values.clock === 'cpu' ? 1 : Number(values.threads ?? threads()));
  const clock = CLOCKS[values.clock];
  const options = { check: !values['no-verify'], repetitions: Number(values.repetitions), clock };
  const rows = chosen(list(values.ops), list(values.stages)).flatMap((c) => {
    const measured = measure(c, options);
    measured.forEach(show);
    return measured;
  });
  const file = values.out ?? path.join('bench', 'results', 'kernels.json');
  writeFileSync(file, `${JSON.stringify({ machine: machine(), rows }, null, 1)}\n`);
  console.log(`written to ${file}`);
}

main();
