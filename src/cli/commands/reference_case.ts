import { backward, noGrad } from '../../core/autograd';
import { digestError, fillModel, relativeError, value, type Digest } from '../../formats/reference';
import type { MorphMlpConfig } from '../../models/config';
import { MorphMLP } from '../../models/morphmlp';
import { softCrossEntropy } from '../../ops/cross_entropy';
import { AdamW, gradNorm, learningRate, parameterGroups } from '../../optim';
import { scope } from '../../core/scope';
import { tensor, type Tensor } from '../../core/tensor';

/** A configuration in the format of the reference files. */
interface FileConfig {
  kind: 'video' | 'image';
  layers: MorphMlpConfig['layers'];
  embed_dims: MorphMlpConfig['embedDims'];
  segment_dim: MorphMlpConfig['segmentDim'];
  frames?: number;
  num_classes: number;
  mlp_ratio: number;
  qkv_bias: boolean;
  drop_path: number;
}

type Digests = Record<string, Digest>;

/** A case of tiny.json or models_full.json. */
export interface ModelCase {
  config: FileConfig;
  x: number[];
  eval_logits: number[][];
  eval_features: Digests;
  train_loss?: number;
  train_logits?: number[][];
  grads?: Digests;
  buffers?: Digests;
}

/** A case of trajectory.json. */
export interface TrajectoryCase {
  config: FileConfig;
  input_prefix: string;
  x: number[];
  classes: number;
  weight_decay: number;
  base_lr: number;
  warmup_steps: number;
  start_lr: number;
  end_lr: number;
  steps: { step: number; lr: number; loss: number; grad_norm: number }[];
  params: Digests;
  buffers: Digests;
}

/** One comparison: its subject, its error (NaN if it could not be compared) and the tolerance. */
export interface Finding {
  what: string;
  error: number;
  tolerance: number;
  /** The tensor with the largest error if several were compared, or the reason why the comparison failed. */
  detail?: string;
}

/** Tolerances of relative L2 errors. */
export const TOLERANCES = { output: 2e-6, gradient: 2e-5, parameter: 1e-5, schedule: 1e-12 } as const;

/** Biases of convolutions before a BatchNorm: their true gradient is zero, so the computed one is rounding error. */
const ZERO_GRADIENT = /^patch_embed1\.proj[12]\.bias$/;
/** Parameters that AdamW updates from such gradients: their values are undefined. */
const UNDEFINED_AFTER_STEPS = /^patch_embed1\.(proj[12]\.bias|norm[12]\.running_mean)$/;

function build(config: FileConfig): MorphMLP {
  const { kind, layers, frames = 1, mlp_ratio, qkv_bias, drop_path, num_classes } = config;
  const model = new MorphMLP({
    ...{ kind, layers, frames, embedDims: config.embed_dims, segmentDim: config.segment_dim },
    ...{ mlpRatio: mlp_ratio, qkvBias: qkv_bias, dropPath: drop_path, numClasses: num_classes },
  });
  fillModel(model.namedTensors());
  return model;
}

function softTargets(name: string, batch: number, classes: number): Tensor {
  const targets = value(name, [batch, classes]).map(Math.abs);
  for (let row = 0; row < batch; row++) {
    const part = targets.subarray(row * classes, (row + 1) * classes);
    const sum = part.reduce((a, b) => a + b, 0);
    part.forEach((v, i) => (part[i] = v / sum));
  }
  return tensor(targets, [batch, classes]);
}

/** Runs a comparison; an exception (NaN, wrong shape) becomes a failed finding with its reason. */
function compare(what: string, tolerance: number, error: () => number): Finding {
  try {
    return { what, tolerance, error: error() };
  } catch (reason) {
    return { what, tolerance, error: NaN, detail: (reason as Error).message };
  }
}

function digestOf(t: Float32Array, digest: Digest | undefined, key: string): number {
  if (!digest) throw new Error(`${key}: not in the file`);
  const { norm, proj, samples } = digestError(t, digest, key);
  return Math.max(norm, proj, samples);
}

/** The finding with the largest error, with its name. */
function worst(what: string, tolerance: number, findings: Finding[]): Finding {
  const failed = findings.find((f) => !(f.error <= f.tolerance));
  const top = failed ?? findings.reduce((a, b) => (b.error / b.tolerance > a.error / a.tolerance ? b : a));
  const detail = `worst of ${findings.length}: ${top.what}${top.detail ? `: ${top.detail}` : ''}`;
  return { what, tolerance: top.tolerance === tolerance ? tolerance : top.tolerance, error: top.error, detail };
}

/** The stem's features in the file are planar, [B, C, T, H, W]; all others channels last. */
function planar(t: Tensor): Float32Array {
  const [b, ...rest] = t.shape as [number, number, number, number, number];
  const channels = rest[3];
  const [data, tokens] = [t.floats(), t.size / (b * channels)];
  return data.map((_, i) => {
    const [clip, c, token] = [Math.floor(i / (channels * tokens)), Math.floor(i / tokens) % channels, i % tokens];
    return data[(clip * tokens + token) * channels + c] as number;
  });
}

function checkEvaluation(name: string, model: MorphMLP, c: ModelCase): Finding[] {
  const features: Finding[] = [];
  const observe = (feature: string, t: Tensor) => {
    const data = feature === 'patch_embed1' ? planar(t) : t.floats();
    features.push(
      compare(feature, TOLERANCES.output, () => digestOf(data, c.eval_features[feature], `${name}/${feature}`)),
    );
  };
  return scope(() =>
    noGrad(() => {
      const logits = model
        .eval()
        .forward(tensor(value(`${name}.x`, c.x), c.x), observe)
        .floats();
      const error = () => relativeError(logits, c.eval_logits.flat(), 'logits');
      return [compare('evaluation logits', TOLERANCES.output, error), worst('features', TOLERANCES.output, features)];
    }),
  );
}

function gradientFinding(name: string, model: MorphMLP, c: ModelCase, parameter: Tensor): Finding {
  const { name: at, grad } = parameter;
  if (!ZERO_GRADIENT.test(at)) {
    return compare(at, TOLERANCES.gradient, () =>
      digestOf(grad?.floats() ?? new Float32Array(), c.grads![at], `${name}/grad.${at}`),
    );
  }
  const weight = model.stateDict().get(at.replace(/bias$/, 'weight')) as Tensor;
  return compare(
    `${at} (true gradient 0; relative to its weight's)`,
    1e-5,
    () => gradNorm([parameter]) / gradNorm([weight]),
  );
}

function checkTraining(name: string, model: MorphMLP, c: ModelCase): Finding[] {
  const { num_classes: classes } = c.config;
  const findings = scope(() => {
    const logits = model.train().forward(tensor(value(`${name}.x`, c.x), c.x));
    const loss = softCrossEntropy(logits, softTargets(`${name}.t`, c.x[0] as number, classes));
    backward(loss);
    return [
      compare('training logits', TOLERANCES.output, () =>
        relativeError(logits.floats(), c.train_logits!.flat(), 'logits'),
      ),
      compare('training loss', TOLERANCES.output, () => relativeError([loss.item()], [c.train_loss!], 'loss')),
    ];
  });
  const gradients = model.parameters().map((p) => gradientFinding(name, model, c, p));
  const buffers = model
    .namedBuffers()
    .map(([at, t]) =>
      compare(at, TOLERANCES.output, () => digestOf(t.floats(), c.buffers![at], `${name}/buffer.${at}`)),
    );
  return [
    ...findings,
    worst('gradients', TOLERANCES.gradient, gradients),
    worst('buffers', TOLERANCES.output, buffers),
  ];
}

/** Compares evaluation and, if the file has it, one training pass of a case of tiny.json or models_full.json. */
export function checkModel(name: string, c: ModelCase): Finding[] {
  const model = build(c.config);
  try {
    return [...checkEvaluation(name, model, c), ...(c.grads ? checkTraining(name, model, c) : [])];
  } finally {
    model.dispose();
  }
}

/** Compares the steps of a case of trajectory.json: losses, gradient norms, learning rates, and the final parameters. */
export function checkTrajectory(c: TrajectoryCase): Finding[] {
  const model = build(c.config).train();
  const optimizer = new AdamW(parameterGroups(model.parameters(), c.weight_decay), { lr: c.base_lr });
  const schedule = {
    ...{ baseLr: c.base_lr, endLr: c.end_lr, warmupStartLr: c.start_lr, warmupEpochs: c.warmup_steps },
    ...{ maxEpoch: c.steps.length, cosineAfterWarmup: true },
  };
  const [rates, losses, norms]: [number[], number[], number[]] = [[], [], []];
  for (const { step } of c.steps) {
    rates.push(learningRate(schedule, step));
    optimizer.setLr(rates[step] as number);
    losses.push(trajectoryStep(model, c, step));
    norms.push(gradNorm(model.parameters()));
    optimizer.step();
    optimizer.zeroGrad();
  }
  const against = (what: string, tolerance: number, got: number[], key: 'lr' | 'loss' | 'grad_norm') =>
    compare(what, tolerance, () =>
      Math.max(...c.steps.map((s, i) => relativeError([got[i] as number], [s[key]], what))),
    );
  const digests = (what: string, list: [string, Tensor][], stored: Digests) =>
    worst(
      what,
      TOLERANCES.parameter,
      list
        .filter(([at]) => !UNDEFINED_AFTER_STEPS.test(at))
        .map(([at, t]) =>
          compare(at, TOLERANCES.parameter, () => digestOf(t.floats(), stored[at], `${c.input_prefix}/final.${at}`)),
        ),
    );
  const findings = [
    against('learning rates', TOLERANCES.schedule, rates, 'lr'),
    against('losses', TOLERANCES.output, losses, 'loss'),
    against('gradient norms', TOLERANCES.gradient, norms, 'grad_norm'),
    digests('parameters', model.namedParameters(), c.params),
    digests('buffers', model.namedBuffers(), c.buffers),
  ];
  model.dispose();
  optimizer.dispose();
  return findings;
}

function trajectoryStep(model: MorphMLP, c: TrajectoryCase, step: number): number {
  return scope(() => {
    const x = tensor(value(`${c.input_prefix}.x${step}`, c.x), c.x);
    const loss = softCrossEntropy(
      model.forward(x),
      softTargets(`${c.input_prefix}.t${step}`, c.x[0] as number, c.classes),
    );
    backward(loss);
    return loss.item();
  });
}
