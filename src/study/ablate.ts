import type { Clip } from '../data/types';
import { countOps } from '../models/flops';
import type { MorphMLP } from '../models/morphmlp';
import { placedBlocks, watchBlocks, type BlockWatch, type PlacedBlock } from '../models/watch';
import { tensor, type Tensor } from '../core/tensor';
import { bestClass, crossEntropyOf } from '../train/metrics';
import { logitsOf } from '../train/views';
import { branchNames } from './branch_weights';
import type { Ablation, AblationStudy, MixingPart } from './learned_types';
import { batchesOf, breathe, type ClipOptions } from './probe';
import { mcNemar, meanAndError, wilson } from './statistics';

/** A part to be switched off, in one stage or (null) in all. */
export interface Switch {
  part: MixingPart;
  stage: number | null;
}

/** What becomes of the weights of the branches that stay. */
export type Others = AblationStudy['others'];

const PARTS: readonly MixingPart[] = ['temporal', 'height', 'width', 'channel'];

const has = ({ block }: PlacedBlock, part: MixingPart): boolean =>
  part === 'temporal' ? block.t_fc !== undefined : branchNames(block).includes(part);

/** All that can be switched off in a model: each part in all stages, then in each stage that has it. */
export function switchesOf(model: MorphMLP): Switch[] {
  const blocks = placedBlocks(model);
  return PARTS.flatMap((part) => {
    const stages = [1, 2, 3, 4].filter((stage) => blocks.some((at) => at.stage === stage && has(at, part)));
    return stages.length === 0 ? [] : [null, ...stages].map((stage) => ({ part, stage }));
  });
}

/**
 * Branch weights [B, C, n] with one branch at 0. The others stay as they are, or are scaled to a sum of 1: the softmax over them
 * alone (where that branch had all the weight, they share it equally).
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

/** What a block does without a part. */
function watchWithout(at: PlacedBlock, { part, stage }: Switch, others: Others): BlockWatch | null {
  if ((stage !== null && stage !== at.stage) || !has(at, part)) return null;
  if (part === 'temporal') return { skipTemporal: true };
  const branch = branchNames(at.block).indexOf(part);
  return { weights: (weights) => weightsWithout(weights, branch, others) };
}

/**
 * Runs `body` on a model in which a part is switched off; no gradients. A branch's weight is 0 where its output would be mixed
 * in; the mean that the weights are computed from is left as it was, so that nothing else changes. Without its temporal part a
 * block hands on its input.
 */
export function withoutPart<T>(model: MorphMLP, off: Switch, others: Others, body: () => T): T {
  return watchBlocks(model, (at) => watchWithout(at, off, others), body);
}

const FCS = { temporal: 't_fc\\..*', height: 'fc\\.mlp_h', width: 'fc\\.mlp_w', channel: 'fc\\.mlp_c' } as const;

/** Multiply-adds of one view of height × width that a model without a part would not need. */
export function savedMacs(model: MorphMLP, { part, stage }: Switch, size: { height: number; width: number }): number {
  const name = new RegExp(`^blocks${stage ?? '\\d'}\\.\\d+\\.${FCS[part]}$`);
  const spared = countOps(model.config, size).ops.filter((op) => name.test(op.name));
  return spared.reduce((sum, op) => sum + op.macs, 0);
}

/** What a model says to a clip. */
interface Answer {
  predicted: number;
  /** Cross-entropy; null where the clip has no label. */
  loss: number | null;
  right: boolean;
}

const labelled = ({ label }: Clip, classes: number): boolean => label >= 0 && label < classes;

function answersOf(model: MorphMLP, clips: readonly Clip[], { normalisation }: ClipOptions): Answer[] {
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

/** The figures that need labels. */
function judged(before: readonly Answer[], after: readonly Answer[]) {
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

function compared(before: readonly Answer[], after: readonly Answer[]): Omit<Ablation, 'part' | 'stage' | 'macs'> {
  return { ...judged(before, after), changed: count(after, ({ predicted }, i) => predicted !== before[i]!.predicted) };
}

/** Whether a difference is too small for the clips at hand to tell it from chance: a chance of 5% or more. */
export const insideNoise = ({ chance }: Pick<Ablation, 'chance'>): boolean => chance !== null && chance >= 0.05;

/** What a part's absence does, in a few words. */
export function verdict(off: Ablation): string {
  if (off.chance === null) return '';
  if (off.lost === 0 && off.won === 0) return 'no clip changes sides';
  return insideNoise(off)
    ? 'inside noise'
    : `chance ${off.chance < 1e-4 ? off.chance.toExponential(0) : off.chance.toFixed(4)}`;
}

/** How parts are switched off, and how clips are read. */
export interface AblationOptions extends ClipOptions {
  /** Default `kept`. */
  others?: Others;
}

/**
 * Switches each part off in turn, in all stages and in each, and classifies the clips again. The model is in evaluation mode.
 * @param onClips is told how many clips went through the model, of all runs
 */
export async function studyAblation(
  model: MorphMLP,
  clips: readonly Clip[],
  options: AblationOptions,
  onClips: (done: number) => void = () => undefined,
): Promise<AblationStudy> {
  const { others = 'kept', batch = 8 } = options;
  const switches = switchesOf(model);
  const before: Answer[] = [];
  const after = switches.map((): Answer[] => []);
  let done = 0;
  const told = (n: number) => onClips((done += n));
  for (const some of batchesOf(clips, batch)) {
    before.push(...answersOf(model, some, options));
    told(some.length);
    for (const [i, off] of switches.entries()) {
      await breathe();
      after[i]!.push(...withoutPart(model, off, others, () => answersOf(model, some, options)));
      told(some.length);
    }
  }
  const size = { height: clips[0]?.height ?? 224, width: clips[0]?.width ?? 224 };
  const off = switches.map((s, i) => ({ ...s, ...compared(before, after[i]!), macs: savedMacs(model, s, size) }));
  const { correct, interval } = judged(before, before);
  const loss = correct === null ? null : meanAndError(before.map((answer) => answer.loss!)).mean;
  return { clips: clips.length, others, macs: countOps(model.config, size).macs, correct, interval, loss, off };
}
