/** What each op of a model costs: work, time, the limit that binds it, and the memory that lives meanwhile. */
import { backward, noGrad } from '../core/autograd';
import { besideOthers } from '../bench/cpu_contention';
import { floorMs, limitsAround, type Limits } from '../bench/roofline';
import { median } from '../bench/statistics';
import type { MorphMLP } from '../models/morphmlp';
import { softCrossEntropy } from '../ops/cross_entropy';
import { AdamW, parameterGroups } from '../optim';
import { scope } from '../core/scope';
import { tensor } from '../core/tensor';
import { normalised } from '../train/input';
import { uniform } from '../bench/op_cases/random';
import { KernelWatch, type KernelCall, type Phase } from './profiler';
import { cropOf, normalisationOf, type Subject } from './subject';
import type { Tell } from './types';

/** Work and time of an op, a block, a stage, or all. */
export interface CostFigures {
  /** Multiply-adds of FCs and convolutions. */
  macs: number;
  /** Bytes of the buffers that are read and written, each once a call: the least that must move. */
  read: number;
  written: number;
  /** Multiply-adds for each byte. */
  intensity: number;
  ms: number;
  gflops: number;
  gbs: number;
  /** The shortest time that the machine's limits allow; of several ops, the sum. */
  floorMs: number;
  /** `floorMs / ms`. Above 1 where caches spared traffic. */
  share: number;
  /** The limit that binds; of several ops, the one that binds more of `floorMs`. */
  limit: 'FMA' | 'memory';
}

/** One kernel call of a step. */
export interface CostOp extends CostFigures {
  kernel: string;
  phase: Phase;
  /** Such as `blocks1.0.fc`. */
  layer: string;
  stage: Stage;
  /** Such as `blocks1.0`; null outside of blocks. */
  block: string | null;
  shape: string;
  /** Bytes of live tensors as it begins, and the most until it ends, its workspace included. */
  live: number;
  peak: number;
  /** In the step that `Cost.typical` is about: milliseconds from its beginning to this call's, and how long it took. */
  at: number;
  took: number;
}

/** The parts of a model by which its costs are summed. */
export const STAGES = ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'head', 'loss', 'optimizer'] as const;

/** One of `STAGES`. */
export type Stage = (typeof STAGES)[number];

/** A sum over ops. */
export interface CostSum extends CostFigures {
  name: string;
  stage: Stage;
  calls: number;
}

/** What a step costs. */
export interface Cost {
  work: 'forward' | 'train';
  batch: number;
  /** Measured steps; times are medians over them. */
  steps: number;
  /** A whole step, the fastest and the slowest of them, and what of a step passed outside of kernels. */
  ms: number;
  fastest: number;
  slowest: number;
  outsideMs: number;
  /** Of the machine, measured before and after the steps; the better counts. */
  limits: Limits;
  /** The share of the machine's processor time that others took meanwhile. */
  others: number;
  /** In the order of calls. */
  ops: CostOp[];
  blocks: CostSum[];
  stages: CostSum[];
  total: CostSum;
  /** The most bytes of tensors at once, and the op under which that was. */
  peakBytes: number;
  peakOp: number;
  /** Milliseconds of the one step whose ops have `at` and `took`: that of median time. */
  typical: number;
}

/** What is measured. */
export interface CostOptions {
  work: 'forward' | 'train';
  batch: number;
  steps: number;
}

/** The stage that a layer is counted to. */
export function stageOf(layer: string): Stage {
  const [, digit] = /^(?:blocks|patch_embed)(\d)/.exec(layer) ?? [];
  if (layer.startsWith('patch_embed1')) return 'stem';
  if (digit) return `stage ${digit}` as Stage;
  return layer === 'loss' || layer === 'optimizer' ? layer : 'head';
}

/** A step of the work: told in which phase it is. */
export type Step = (enter: (phase: Phase) => void) => void;

/** The normalised input of a step: the subject's clips in turn, or noise where there are none. */
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

/** The work of a step, and what frees what it keeps. */
export interface Work {
  step: Step;
  dispose: () => void;
}

/** A forward pass as in evaluation, or a training step with AdamW at a learning rate of 0, which leaves the weights as they are. */
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

/** The calls of one step and its time. */
export interface RecordedStep {
  calls: KernelCall[];
  start: number;
  ms: number;
}

/** Runs a step under a watch. */
export function recordStep(watch: KernelWatch, step: Step): RecordedStep {
  watch.take();
  const start = performance.now();
  step((phase) => (watch.phase = phase));
  return { start, ms: performance.now() - start, calls: watch.take() };
}

/** Steps before those that count. */
export const WARM_UP = 2;

/** Runs `body`, and puts the running statistics that training steps changed back as they were. */
function keepingBuffers<T>(network: MorphMLP, body: () => T): T {
  const before = network.namedBuffers().map(([, t]) => [t, t.floats()] as const);
  try {
    return body();
  } finally {
    for (const [t, values] of before) t.copyFrom(values);
    network.eval();
  }
}

/** Runs steps under a watch, after some that do not count. The network is afterwards as it was. */
function recordSteps(subject: Subject, { work, batch, steps }: CostOptions, tell: Tell): RecordedStep[] {
  const { network } = subject;
  const { x, shape } = inputOf(subject, batch);
  const watch = new KernelWatch(network.namedTensors());
  const watched = (body: () => RecordedStep[]) => keepingBuffers(network, () => watch.during(body));
  return watched(() => {
    const { step, dispose } = stepOf(network, work, x, shape);
    try {
      return stepsOf(watch, step, steps, tell);
    } finally {
      dispose();
    }
  });
}

function stepsOf(watch: KernelWatch, step: Step, steps: number, tell: Tell): RecordedStep[] {
  const all = Array.from({ length: WARM_UP + steps }, (_, i) => {
    tell(i, WARM_UP + steps, i < WARM_UP ? 'warming up' : `step ${i - WARM_UP + 1} of ${steps}`);
    return recordStep(watch, step);
  });
  return all.slice(WARM_UP);
}

type Counted = Pick<CostFigures, 'macs' | 'read' | 'written' | 'ms'>;

const rates = ({ macs, read, written, ms }: Counted) => ({
  intensity: read + written > 0 ? macs / (read + written) : 0,
  gflops: (2 * macs) / ms / 1e6,
  gbs: (read + written) / ms / 1e6,
});

/** The figures of a call. */
export function figuresOf({ macs, read, written }: KernelCall, ms: number, limits: Limits): CostFigures {
  const floor = floorMs(2 * macs, read + written, limits);
  const counted = { macs, read, written, ms };
  return { ...counted, ...rates(counted), floorMs: floor.ms, share: floor.ms / ms, limit: floor.by };
}

/** The sum of ops under a name. */
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

function checkSame(steps: readonly RecordedStep[]): void {
  const names = (step: RecordedStep) => step.calls.map((c) => `${c.kernel} ${c.layer} ${c.shape}`).join('\n');
  const [first, ...others] = steps.map(names);
  if (others.some((other) => other !== first)) throw new Error('study: two steps did not call the same kernels');
}

/** The step whose time is in the middle. */
function typicalOf(steps: readonly RecordedStep[]): RecordedStep {
  return [...steps].sort((a, b) => a.ms - b.ms)[steps.length >> 1]!;
}

const blockOf = (layer: string): string | null => /^blocks\d\.\d+/.exec(layer)?.[0] ?? null;

/** The ops of steps that called the same kernels. */
function opsOf(steps: readonly RecordedStep[], limits: Limits): CostOp[] {
  checkSame(steps);
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

/** The cost of each kernel, summed over its calls; what takes longest comes first. */
export function byKernel({ ops }: Pick<Cost, 'ops'>): CostSum[] {
  return groupsOf(ops, (op) => op.kernel).sort((a, b) => b.ms - a.ms);
}

/** What was measured of the machine beside the steps. */
type Beside = Pick<Cost, 'limits' | 'others'>;

/** The cost of steps that were recorded. */
export function costOf(steps: readonly RecordedStep[], beside: Beside, { work, batch }: CostOptions): Cost {
  const ops = opsOf(steps, beside.limits);
  const ms = median(steps.map((step) => step.ms));
  const total = sumOf('all', 'stem', ops);
  const peakBytes = Math.max(...ops.map((op) => op.peak));
  const stages = groupsOf(ops, (op) => op.stage).sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
  return {
    ...{ fastest: Math.min(...steps.map((s) => s.ms)), slowest: Math.max(...steps.map((s) => s.ms)) },
    ...{ work, batch, steps: steps.length, ms, outsideMs: Math.max(0, ms - total.ms), ops, ...beside },
    ...{ blocks: groupsOf(ops, (op) => op.block), stages, total },
    ...{ peakBytes, peakOp: ops.findIndex((op) => op.peak === peakBytes), typical: typicalOf(steps).ms },
  };
}

/** Measures what each op costs: the model runs for real, its kernels watched, beside the machine's limits. */
export function studyCost(subject: Subject, options: CostOptions, tell: Tell = () => undefined): Cost {
  const { result, others } = besideOthers(() =>
    limitsAround(() => recordSteps(subject, options, tell), subject.network.precision),
  );
  return costOf(result.result, { limits: result.limits, others }, options);
}
