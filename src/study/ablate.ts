import type { Clip } from '../data/types';
import { countOps } from '../models/flops';
import type { MorphMLP } from '../models/morphmlp';
import type { BlockWatch } from '../models/block_watch';
import { placedBlocks, watchBlocks, type PlacedBlock } from '../models/watch';
import { tensor, type Tensor } from '../core/tensor';
import { bestClass, crossEntropyOf } from '../train/metrics';
import { logitsOf } from '../train/views';
import { branchNames } from './branch_weights';
import type { Ablation, AblationStudy, MixingPart } from './learned_types';
import { batchesOf, yieldToEventLoop, type ClipOptions } from './probe';
import { mcNemar, meanAndError, wilson } from './statistics';

/** A part to ablate, in one stage or (null) in all. */
export interface Switch {
  part: MixingPart;
  stage: number | null;
}

/** How the weights of the remaining branches are treated. */
export type Others = AblationStudy['others'];

const PARTS: readonly MixingPart[] = ['temporal', 'height', 'width', 'channel'];

const has = ({ block }: PlacedBlock, part: MixingPart): boolean =>
  part === 'temporal' ? block.t_fc !== undefined : branchNames(block).includes(part);

/** All possible ablations of a model: each part in all stages, then in each stage that has it. */
export function switchesOf(model: MorphMLP): Switch[] {
  const blocks = placedBlocks(model);
  return PARTS.flatMap((part) => {
    const stages = [1, 2, 3, 4].filter((stage) => blocks.some((at) => at.stage === stage && has(at, part)));
    return stages.length === 0 ? [] : [null, ...stages].map((stage) => ({ part, stage }));
  });
}

/**
 * Branch weights [B, C, n] with one branch set to 0. The others are kept or renormalised to a sum of 1, which is the softmax over them
 * (equal shares if the removed branch had all the weight).
 */
export function weightsWithout(weights: Tensor, branch: number, others: Others): Tensor {
  const n = weights.shape[2]!;
  const values = weights.floats();
  for (let at = 0; at < values.length; at += n) {
    const row = values.subarray(at, at + n);
    row[branch] = 0;
    if (others === 'kept') continue;
    const rest = row.reduce((a, b) => a + b, 0);
    row.forEach((w, i) => (row[i] = i === branch ? 0 : rest > 0 ? w / rest : 1 / (n - 1)));
  }
  return tensor(values, weights.shape);
}

/** The hooks that remove a part from a block, or null if the block is unaffected. */
function watchWithout(at: PlacedBlock, { part, stage }: Switch, others: Others): BlockWatch | null {
  if ((stage !== null && stage !== at.stage) || !has(at, part)) return null;
  if (part === 'temporal') return { skipTemporal: true };
  const branch = branchNames(at.block).indexOf(part);
  return { weights: (weights) => weightsWithout(weights, branch, others) };
}

/**
 * Runs `body` with a part of the model switched off, without gradients. A branch is removed by setting its weight to 0 where outputs are
 * mixed; the mean from which weights are computed still includes it, so that nothing else changes. The temporal part becomes the
 * identity.
 */
export function withoutPart<T>(model: MorphMLP, off: Switch, others: Others, body: () => T): T {
  return watchBlocks(model, (at) => watchWithout(at, off, others), body);
}

const FCS = { temporal: 't_fc\\..*', height: 'fc\\.mlp_h', width: 'fc\\.mlp_w', channel: 'fc\\.mlp_c' } as const;

/** Multiply-adds per view of height × width that are saved without a part. */
export function savedMacs(model: MorphMLP, { part, stage }: Switch, size: { height: number; width: number }): number {
  const name = new RegExp(`^blocks${stage ?? '\\d'}\\.\\d+\\.${FCS[part]}$`);
  const spared = countOps(model.config, size).ops.filter((op) => name.test(op.name));
  return spared.reduce((sum, op) => sum + op.macs, 0);
}

/** A model's prediction for a clip. */
interface Prediction {
  predicted: number;
  /** Cross-entropy; null if the clip has no label. */
  loss: number | null;
  right: boolean;
}

const labelled = ({ label }: Clip, classes: number): boolean => label >= 0 && label < classes;

function predict(model: MorphMLP, clips: readonly Clip[], { normalisation }: ClipOptions): Prediction[] {
  const logits = logitsOf(model, clips, normalisation);
  const classes = logits.length / clips.length;
  return clips.map((clip, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    const predicted = bestClass(own, 0, classes);
    const loss = labelled(clip, classes) ? crossEntropyOf(own, clip.label) : null;
    return { predicted, loss, right: predicted === clip.label };
  });
}

const count = <T>(items: readonly T[], test: (item: T, i: number) => boolean): number => items.filter(test).length;

/** The figures that need labels; null without labels. */
function labelledFigures(before: readonly Prediction[], after: readonly Prediction[]) {
  const none = { correct: null, interval: null, lost: null, won: null, chance: null, loss: null };
  if (after.length === 0 || after.some(({ loss }) => loss === null)) return none;
  const correct = count(after, ({ right }) => right);
  const lost = count(after, ({ right }, i) => before[i]!.right && !right);
  const won = count(after, ({ right }, i) => !before[i]!.right && right);
  const { mean: rise, error } = meanAndError(after.map(({ loss }, i) => loss! - before[i]!.loss!));
  return {
    ...{ correct, interval: wilson(correct, after.length), lost, won, chance: mcNemar(lost, won) },
    loss: { rise, error },
  };
}

function compared(
  before: readonly Prediction[],
  after: readonly Prediction[],
): Omit<Ablation, 'part' | 'stage' | 'macs'> {
  return {
    ...labelledFigures(before, after),
    changed: count(after, ({ predicted }, i) => predicted !== before[i]!.predicted),
  };
}

/** Whether a difference is not significant for these clips (p ≥ 5%). */
const insideNoise = ({ chance }: Pick<Ablation, 'chance'>): boolean => chance !== null && chance >= 0.05;

/** Summarises the effect of an ablation in a few words. */
export function verdict(off: Ablation): string {
  if (off.chance === null) return '';
  if (off.lost === 0 && off.won === 0) return 'no clip changes sides';
  return insideNoise(off)
    ? 'inside noise'
    : `chance ${off.chance < 1e-4 ? off.chance.toExponential(0) : off.chance.toFixed(4)}`;
}

/** Options of the ablation and of reading clips. */
export interface AblationOptions extends ClipOptions {
  /** Default `kept`. */
  others?: Others;
}

/**
 * Switches each part off in turn, in all stages and in each, and classifies the clips again. The model must be in evaluation mode.
 * @param onClips called with the number of clips processed so far, over all runs
 */
export async function studyAblation(
  model: MorphMLP,
  clips: readonly Clip[],
  options: AblationOptions,
  onClips: (done: number) => void = () => undefined,
): Promise<AblationStudy> {
  const { others = 'kept', batch = 8 } = options;
  const switches = switchesOf(model);
  const before: Prediction[] = [];
  const after = switches.map((): Prediction[] => []);
  let done = 0;
  const report = (n: number) => onClips((done += n));
  for (const some of batchesOf(clips, batch)) {
    before.push(...predict(model, some, options));
    report(some.length);
    for (const [i, off] of switches.entries()) {
      await yieldToEventLoop();
      after[i]!.push(...withoutPart(model, off, others, () => predict(model, some, options)));
      report(some.length);
    }
  }
  const size = { height: clips[0]?.height ?? 224, width: clips[0]?.width ?? 224 };
  const off = switches.map((s, i) => ({ ...s, ...compared(before, after[i]!), macs: savedMacs(model, s, size) }));
  const { correct, interval } = labelledFigures(before, before);
  const loss = correct === null ? null : meanAndError(before.map((answer) => answer.loss!)).mean;
  return { clips: clips.length, others, macs: countOps(model.config, size).macs, correct, interval, loss, off };
}
