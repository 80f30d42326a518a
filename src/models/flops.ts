import { ablationOf, branchesOf, convolutionSide, groupScale } from './ablation';
import { FPN_WIDTHS, temporalGroups, timeSteps, type MorphMlpConfig } from './config';

/** One FC or convolution of a model. */
export interface CountedOp {
  /** Its PyTorch name, such as `blocks1.0.fc.mlp_h`. */
  name: string;
  /** 0: stem, 1 to 4: stages, 5: head. */
  stage: number;
  kind: 'conv' | 'fc';
  /** Rows of the equivalent matrix product rows × in × out. */
  rows: number;
  in: number;
  out: number;
  /** Elements of the input tensor, each once: fewer than rows × in for a convolution, whose windows overlap. */
  inputs: number;
  /** Multiply-adds of one view. */
  macs: number;
  params: number;
}

/** Parameters and multiply-adds of a model for one view. */
export interface Count {
  ops: CountedOp[];
  /** Parameters, including those of normalisations. */
  params: number;
  macs: number;
}

type Stage = 0 | 1 | 2 | 3;

/** Half, rounded up: a convolution of stride 2, kernel 3 and padding 1. */
const half = (n: number) => Math.floor((n - 1) / 2) + 1;

class Counter {
  readonly ops: CountedOp[] = [];
  norms = 0;

  add(
    name: string,
    stage: number,
    kind: CountedOp['kind'],
    [rows, inside, out]: readonly [number, number, number],
    { bias = true, inputs = rows * inside } = {},
  ): void {
    this.ops.push({
      name,
      stage,
      kind,
      rows,
      in: inside,
      out,
      inputs,
      macs: rows * inside * out,
      params: inside * out + (bias ? out : 0),
    });
  }
}

/** Counts the branches or their replacement in an ablation, their weighting and the projection. */
function countSpatial(counter: Counter, config: MorphMlpConfig, stage: Stage, name: string, tokens: number): void {
  const ablation = ablationOf(config);
  const [c, at, side] = [config.embedDims[stage], stage + 1, convolutionSide(ablation)];
  const add = (
    part: string,
    kind: CountedOp['kind'],
    shape: readonly [number, number, number],
    more?: { bias?: boolean; inputs?: number },
  ) => counter.add(`${name}.${part}`, at, kind, shape, more);
  if (side !== null) add('conv', 'conv', [tokens, c * side * side, c], { inputs: tokens * c });
  const branches = side === null ? branchesOf(ablation, stage) : [];
  if (stage === 3) branches.sort(); // the channel branch first, as the published network names them
  for (const branch of branches) {
    const row = branch === 'c' ? c : c * groupScale(ablation, stage);
    if (branch !== 'c' && ablation.spatial === 'group_conv') add(`conv_${branch}`, 'conv', [tokens, c, c]);
    else add(`mlp_${branch}`, 'fc', [(tokens * c) / row, row, row], { bias: config.qkvBias });
  }
  if (ablation.weighting === 'softmax' && branches.length > 1) {
    add('reweight.fc1', 'fc', [1, c, c / 4]);
    add('reweight.fc2', 'fc', [1, c / 4, c * branches.length]);
  }
  add('proj', 'fc', [tokens, c, c]);
}

function countBlock(counter: Counter, config: MorphMlpConfig, stage: Stage, name: string, frame: number): void {
  const [c, steps, bias] = [config.embedDims[stage], timeSteps(config), config.qkvBias];
  const [rows, at] = [steps * frame, stage + 1];
  const fc = (part: string, shape: readonly [number, number, number], own = true) =>
    counter.add(`${name}.${part}`, at, 'fc', shape, { bias: own });
  if (config.kind === 'video') {
    const groups = temporalGroups(c, steps);
    const row = steps * (c / groups);
    fc('t_fc.mlp_t', [frame * groups, row, row], bias);
    fc('t_fc.proj', [rows, c, c]);
  }
  countSpatial(counter, config, stage, `${name}.fc`, rows);
  const hidden = Math.trunc(c * config.mlpRatio);
  fc('mlp.fc1', [rows, c, hidden]);
  fc('mlp.fc2', [rows, hidden, c]);
  counter.norms += (config.kind === 'video' ? 6 : 4) * c;
}

/** Counts pyramid and head. @param tokens of the stages */
function countSegmentation(counter: Counter, config: MorphMlpConfig, tokens: readonly number[]): void {
  const { pyramid, head } = FPN_WIDTHS;
  const conv = (name: string, rows: number, inside: number, out: number): void =>
    counter.add(name, 5, 'conv', [rows, inside * 9, out], { inputs: rows * inside });
  tokens.forEach((rows, i) => counter.add(`neck.lateral.${i}`, 5, 'fc', [rows, config.embedDims[i as Stage], pyramid]));
  tokens.forEach((rows, i) => conv(`neck.output.${i}`, rows, pyramid, pyramid));
  tokens.forEach((_, level) => {
    for (let step = 0; step < Math.max(1, level); step++) {
      conv(`head.levels.${level}.${step}.conv`, tokens[level - step]!, step === 0 ? pyramid : head, head);
      counter.norms += 2 * head;
    }
  });
  counter.add('head.predict', 5, 'fc', [tokens[0]!, head, config.numClasses]);
}

/**
 * Counts the FCs and convolutions of a model on one view of height × width, without building it. Padded chunks are counted in
 * full.
 */
export function countOps(config: MorphMlpConfig, { height = 224, width = 224 } = {}): Count {
  const counter = new Counter();
  const [steps, kt] = [timeSteps(config), config.kind === 'video' ? 3 : 1];
  const [c1, first] = [config.embedDims[0], Math.trunc(config.embedDims[0] / 2)];
  let size: [number, number] = [half(height), half(width)];
  const pixels = 3 * (config.kind === 'video' ? config.frames : 1) * height * width;
  counter.add('patch_embed1.proj1', 0, 'conv', [steps * size[0] * size[1], 3 * kt * 9, first], { inputs: pixels });
  const halved = { inputs: first * steps * size[0] * size[1] };
  size = [half(size[0]), half(size[1])];
  counter.add('patch_embed1.proj2', 0, 'conv', [steps * size[0] * size[1], first * 9, c1], halved);
  counter.norms += 2 * first + 2 * c1;
  const frames: number[] = [];
  for (const stage of [0, 1, 2, 3] as const) {
    const c = config.embedDims[stage];
    if (stage > 0) {
      const before = config.embedDims[(stage - 1) as Stage];
      const inputs = before * steps * size[0] * size[1];
      size = [half(size[0]), half(size[1])];
      const shape = [steps * size[0] * size[1], before * 9, c] as const;
      counter.add(`patch_embed${stage + 1}.proj`, stage + 1, 'conv', shape, { inputs });
      counter.norms += 2 * c;
    }
    frames.push(size[0] * size[1]);
    for (let i = 0; i < config.layers[stage]; i++)
      countBlock(counter, config, stage, `blocks${stage + 1}.${i}`, size[0] * size[1]);
  }
  if (config.task === 'segment') countSegmentation(counter, config, frames);
  else {
    counter.add('head', 5, 'fc', [1, config.embedDims[3], config.numClasses]);
    counter.norms += 2 * config.embedDims[3];
  }
  const sum = (pick: (op: CountedOp) => number) => counter.ops.reduce((total, op) => total + pick(op), 0);
  return { ops: counter.ops, params: sum((op) => op.params) + counter.norms, macs: sum((op) => op.macs) };
}

/** Giga multiply-adds of one view of 224 × 224. */
export const gmacs = (config: MorphMlpConfig): number => countOps(config).macs / 1e9;
