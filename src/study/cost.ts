/** The cost of each op of a model: work, time, the binding limit and live memory. */
import { backward, noGrad } from '../core/autograd';
import { measureContention } from '../bench/cpu_contention';
import { rooflineMs, measureWithLimits, type Limits } from '../bench/roofline';
import { median } from '../bench/statistics';
import type { MorphMLP } from '../models/morphmlp';
import { softCrossEntropy } from '../ops/cross_entropy';
import { AdamW, parameterGroups } from '../optim';
import type { OnProgress } from '../terminal/progress';
import { scope } from '../core/scope';
import { tensor } from '../core/tensor';
import { normalised } from '../train/input';
import { uniform } from '../bench/op_cases/random';
import { Profiler, type KernelCall, type Phase } from './profiler';
import { cropOf, normalisationOf, type Subject } from './subject';

/** Work and time of an op, a block, a stage or the whole step. */
export interface CostFigures {
  /** Multiply-adds of FCs and convolutions. */
  macs: number;
  /** Bytes of the buffers read, each counted once per call: the least traffic. */
  read: number;
  /** Bytes of the buffers written, each counted once per call. */
  written: number;
  /** Multiply-adds per byte. */
  intensity: number;
  ms: number;
  gflops: number;
  gbs: number;
  /** Roofline time in ms; for several ops, the sum. */
  floorMs: number;
  /** `floorMs / ms`. Above 1 if caches saved traffic. */
  share: number;
  /** The binding limit; for several ops, the one with the larger part of `floorMs`. */
  limit: 'FMA' | 'memory';
}

/** One kernel call of a step. */
export interface CostOp extends CostFigures {
  kernel: string;
  phase: Phase;
  /** For example `blocks1.0.fc`. */
  layer: string;
  stage: Stage;
  /** For example `blocks1.0`; null outside of blocks. */
  block: string | null;
  shape: string;
  /** Bytes of live tensors when the call begins. */
  live: number;
  /** Peak bytes during the call, including its workspace. */
  peak: number;
  /** Start of the call in the step of `Cost.typical`, in ms from the start of the step. */
  at: number;
  /** Duration of the call in that step, in ms. */
  took: number;
}

/** The parts of a model over which costs are summed. */
export const STAGES = ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'head', 'loss', 'optimizer'] as const;

/** One of `STAGES`. */
export type Stage = (typeof STAGES)[number];

/** Costs summed over ops. */
export interface CostSum extends CostFigures {
  name: string;
  stage: Stage;
  calls: number;
}

/** The cost of a step. */
export interface Cost {
  work: 'forward' | 'train';
  batch: number;
  /** The number of measured steps; times are medians over them. */
  steps: number;
  /** Median time of a whole step in ms, then of the fastest and the slowest step. */
  ms: number;
  fastest: number;
  slowest: number;
  /** Time of a step spent outside of kernels, in ms. */
  outsideMs: number;
  /** The machine's limits: the better of two measurements, before and after the steps. */
  limits: Limits;
  /** The fraction of CPU time that other programs used meanwhile. */
  others: number;
  /** In call order. */
  ops: CostOp[];
  blocks: CostSum[];
  stages: CostSum[];
  total: CostSum;
  /** Peak bytes of tensors. */
  peakBytes: number;
  /** Index of the op during which the peak occurred. */
  peakOp: number;
  /** Milliseconds of the step of median time, to which `at` and `took` of the ops refer. */
  typical: number;
}

/** Options of a measurement. */
export interface CostOptions {
  work: 'forward' | 'train';
  batch: number;
  steps: number;
}

/** The stage to which a layer's cost is assigned. */
export function stageOf(layer: string): Stage {
  const [, digit] = /^(?:blocks|patch_embed)(\d)/.exec(layer) ?? [];
  if (layer.startsWith('patch_embed1')) return 'stem';
  if (digit) return `stage ${digit}` as Stage;
  return layer === 'loss' || layer === 'optimizer' ? layer : 'head';
}

/** Runs one step; calls `enter` at the start of each phase. */
export type Step = (enter: (phase: Phase) => void) => void;

/** The normalised input of a step: the subject's clips, repeated as needed, or noise if it has none. */
function inputOf(subject: Subject, batch: number): { x: Float32Array; shape: readonly number[] } {
  const { clips, network } = subject;
  if (clips.length > 0) {
    const chosen = Array.from({ length: batch }, (_, i) => clips[i % clips.length]!);
    return normalised(chosen, normalisationOf(subject));
  }
  const [{ config }, crop] = [network, cropOf(subject)];
  const shape = [batch, 3, config.kind === 'video' ? config.frames : 1, crop, crop];
  return {
    x: uniform(
      1,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  };
}

/** A step with its cleanup. */
export interface Work {
  step: Step;
  dispose: () => void;
}

/** A forward pass in evaluation mode, or a training step with AdamW at learning rate 0, which leaves the weights unchanged. */
export function stepOf(network: MorphMLP, work: CostOptions['work'], x: Float32Array, shape: readonly number[]): Work {
  if (work === 'forward') {
    const step = () => void scope(() => noGrad(() => network.eval().forward(tensor(x, shape)).floats()));
    return { step, dispose: () => undefined };
  }
  const optimizer = new AdamW(parameterGroups(network.parameters(), 0), { lr: 0 });
  const { numClasses } = network.config;
  const even = new Float32Array(shape[0]! * numClasses).fill(1 / numClasses);
  const gradients = (enter: (phase: Phase) => void) => {
    enter('forward');
    const logits = network.train().forward(tensor(x, shape));
    const loss = softCrossEntropy(logits, tensor(even, logits.shape));
    enter('backward');
    backward(loss);
  };
  const step: Step = (enter) => {
    scope(() => gradients(enter));
    enter('update');
    optimizer.step();
    optimizer.zeroGrad();
  };
  return { step, dispose: () => optimizer.dispose() };
}

/** The kernel calls and the time of one step. */
export interface RecordedStep {
  calls: KernelCall[];
  start: number;
  ms: number;
}

/** Runs and profiles one step. */
export function recordStep(profiler: Profiler, step: Step): RecordedStep {
  profiler.takeCalls();
  const start = performance.now();
  step((phase) => (profiler.phase = phase));
  return { start, ms: performance.now() - start, calls: profiler.takeCalls() };
}

/** Untimed steps before the measured ones. */
export const WARM_UP = 2;

/** Runs `body`, then restores the running statistics that training steps changed. */
function preservingBuffers<T>(network: MorphMLP, body: () => T): T {
  const before = network.namedBuffers().map(([, t]) => [t, t.floats()] as const);
  try {
    return body();
  } finally {
    for (const [t, values] of before) t.copyFrom(values);
    network.eval();
  }
}

/** Profiles steps after warm-up steps. Leaves the network unchanged. */
function recordSteps(subject: Subject, { work, batch, steps }: CostOptions, onProgress: OnProgress): RecordedStep[] {
  const { network } = subject;
  const { x, shape } = inputOf(subject, batch);
  const profiler = new Profiler(network.namedTensors());
  const profiled = (body: () => RecordedStep[]) => preservingBuffers(network, () => profiler.profile(body));
  return profiled(() => {
    const { step, dispose } = stepOf(network, work, x, shape);
    try {
      return stepsOf(profiler, step, steps, onProgress);
    } finally {
      dispose();
    }
  });
}

function stepsOf(profiler: Profiler, step: Step, steps: number, onProgress: OnProgress): RecordedStep[] {
  const all = Array.from({ length: WARM_UP + steps }, (_, i) => {
    onProgress(i, WARM_UP + steps, i < WARM_UP ? 'warming up' : `step ${i - WARM_UP + 1} of ${steps}`);
    return recordStep(profiler, step);
  });
  return all.slice(WARM_UP);
}

type Counted = Pick<CostFigures, 'macs' | 'read' | 'written' | 'ms'>;

const rates = ({ macs, read, written, ms }: Counted) => ({
  intensity: read + written > 0 ? macs / (read + written) : 0,
  gflops: (2 * macs) / ms / 1e6,
  gbs: (read + written) / ms / 1e6,
});

/** The cost figures of a call. */
function figuresOf({ macs, read, written }: KernelCall, ms: number, limits: Limits): CostFigures {
  const floor = rooflineMs(2 * macs, read + written, limits);
  const counted = { macs, read, written, ms };
  return { ...counted, ...rates(counted), floorMs: floor.ms, share: floor.ms / ms, limit: floor.by };
}

/** Sums the costs of ops. */
export function sumOf(name: string, stage: Stage, ops: readonly CostFigures[]): CostSum {
  const sum = (pick: (op: CostFigures) => number) => ops.reduce((total, op) => total + pick(op), 0);
  const counted = {
    macs: sum((o) => o.macs),
    read: sum((o) => o.read),
    written: sum((o) => o.written),
    ms: sum((o) => o.ms),
  };
  const floor = sum((o) => o.floorMs);
  const byMemory = sum((o) => (o.limit === 'memory' ? o.floorMs : 0));
  const limit = byMemory > floor / 2 ? 'memory' : 'FMA';
  return {
    name,
    stage,
    calls: ops.length,
    ...counted,
    ...rates(counted),
    floorMs: floor,
    share: floor / counted.ms,
    limit,
  };
}

function checkSameCalls(steps: readonly RecordedStep[]): void {
  const names = (step: RecordedStep) => step.calls.map((c) => `${c.kernel} ${c.layer} ${c.shape}`).join('\n');
  const [first, ...others] = steps.map(names);
  if (others.some((other) => other !== first)) throw new Error('study: two steps did not call the same kernels');
}

/** The step of median time. */
function typicalOf(steps: readonly RecordedStep[]): RecordedStep {
  return [...steps].sort((a, b) => a.ms - b.ms)[steps.length >> 1]!;
}

const blockOf = (layer: string): string | null => /^blocks\d\.\d+/.exec(layer)?.[0] ?? null;

/** The ops of steps that made the same kernel calls. */
function opsOf(steps: readonly RecordedStep[], limits: Limits): CostOp[] {
  checkSameCalls(steps);
  const typical = typicalOf(steps);
  return typical.calls.map((call, i) => ({
    ...{
      kernel: call.kernel,
      phase: call.phase,
      layer: call.layer,
      stage: stageOf(call.layer),
      block: blockOf(call.layer),
    },
    shape: call.shape,
    ...figuresOf(call, median(steps.map((step) => step.calls[i]!.ms)), limits),
    ...{ live: call.live, peak: Math.max(...steps.map((step) => step.calls[i]!.peak)) },
    ...{ at: call.start - typical.start, took: call.ms },
  }));
}

function groupsOf(ops: readonly CostOp[], nameOf: (op: CostOp) => string | null): CostSum[] {
  const groups = new Map<string, CostOp[]>();
  for (const op of ops) {
    const name = nameOf(op);
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), op]);
  }
  return [...groups].map(([name, group]) => sumOf(name, group[0]!.stage, group));
}

/** The cost of each kernel, summed over its calls, in descending order of time. */
export function byKernel({ ops }: Pick<Cost, 'ops'>): CostSum[] {
  return groupsOf(ops, (op) => op.kernel).sort((a, b) => b.ms - a.ms);
}

/** The machine's limits and contention during the steps. */
type MachineState = Pick<Cost, 'limits' | 'others'>;

/** Computes the cost of recorded steps. */
export function costOf(steps: readonly RecordedStep[], machine: MachineState, { work, batch }: CostOptions): Cost {
  const ops = opsOf(steps, machine.limits);
  const ms = median(steps.map((step) => step.ms));
  const total = sumOf('all', 'stem', ops);
  const peakBytes = Math.max(...ops.map((op) => op.peak));
  const stages = groupsOf(ops, (op) => op.stage).sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
  return {
    ...{ fastest: Math.min(...steps.map((s) => s.ms)), slowest: Math.max(...steps.map((s) => s.ms)) },
    ...{ work, batch, steps: steps.length, ms, outsideMs: Math.max(0, ms - total.ms), ops, ...machine },
    ...{ blocks: groupsOf(ops, (op) => op.block), stages, total },
    ...{ peakBytes, peakOp: ops.findIndex((op) => op.peak === peakBytes), typical: typicalOf(steps).ms },
  };
}

/** Measures the cost of each op by profiling real steps and measuring the machine's limits. */
export function studyCost(subject: Subject, options: CostOptions, onProgress: OnProgress = () => undefined): Cost {
  const { result, others } = measureContention(() =>
    measureWithLimits(() => recordSteps(subject, options, onProgress), subject.network.precision),
  );
  return costOf(result.result, { limits: result.limits, others }, options);
}
