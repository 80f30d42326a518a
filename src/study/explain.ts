/** Explains costs in words. */
import { QUIET_SHARE } from '../bench/cpu_contention';
import { duration, percent, ratio, significant } from '../terminal/format';
import type { Cost, CostOp, CostSum } from './cost';
import type { Mixing, Sensitivity } from './mixing';

/** The time in ms that an op takes beyond its roofline time. */
const lostMs = ({ ms, floorMs }: CostOp | CostSum): number => Math.max(0, ms - floorMs);

/** The kernel with the largest lost time, and its fraction of the lost time of all ops. */
function worst(ops: readonly CostOp[]): { kernel: string; share: number } | null {
  const lost = new Map<string, number>();
  for (const op of ops) lost.set(op.kernel, (lost.get(op.kernel) ?? 0) + lostMs(op));
  const all = [...lost.values()].reduce((a, b) => a + b, 0);
  const [first] = [...lost].sort(([, a], [, b]) => b - a);
  return first && all > 0 ? { kernel: first[0], share: first[1] / all } : null;
}

/** Names the binding limit with its fraction of the roofline time. */
function binding({ limit, floorMs }: CostSum, ops: readonly CostOp[]): string {
  const bound = ops.reduce((sum, op) => sum + (op.limit === limit ? op.floorMs : 0), 0);
  const name = limit === 'FMA' ? 'multiply-adds bind' : 'memory binds';
  return `${name} (${percent(bound / floorMs, 0)} of the least time it could take)`;
}

/** A stage in a few words: its share of time and of work. `explainStage` has the reasons. */
export function leadStage({ ms, macs }: CostSum, { total }: Cost): string {
  const time = `${percent(ms / total.ms, 0)} of the time`;
  return macs === 0 ? time : `${time} for ${percent(macs / total.macs, 0)} of the multiply-adds`;
}

/** Describes a stage in a sentence: its share of time and work, the binding limit, its efficiency and the main loss. */
export function explainStage(stage: CostSum, { ops, total }: Cost): string {
  const own = ops.filter((op) => op.stage === stage.name);
  const time = `${percent(stage.ms / total.ms)} of the time`;
  if (stage.ms < 0.005 * total.ms) return `${time}: too little to matter.`;
  const found = worst(own);
  const rest = found ? `; of what it loses, ${percent(found.share, 0)} is lost in ${found.kernel}` : '';
  const reach = `${binding(stage, own)}, and it runs at ${percent(stage.share, 0)} of that${rest}.`;
  if (stage.macs < 0.005 * total.macs) return `${time}, next to no multiply-adds; ${reach}`;
  const relative = stage.ms / stage.macs / (total.ms / total.macs);
  const each = `${percent(stage.macs / total.macs)} of the multiply-adds (${ratio(relative)} the mean time for each)`;
  return `${time} for ${each}, ${significant(stage.intensity, 3)} a byte; ${reach}`;
}

/** Describes the memory peak in a sentence. */
export function explainPeak({ ops, peakOp, peakBytes }: Cost, bytes: (n: number) => string): string {
  const op = ops[peakOp]!;
  return `Tensors take at most ${bytes(peakBytes)}, under ${op.kernel} of ${op.layer} (${op.phase}).`;
}

/** Describes the receptive field of a level's middle token in a sentence: by the index maps and by its gradient on the clip. */
export function explainField({ levels, growth }: Mixing, { level, outside, half, frames }: Sensitivity): string {
  const reach = growth.find((g) => g.level === level)!;
  const video = levels[0]!.size[0] > 1;
  const where = `half of its sensitivity is in ${percent(half)} of the picture cells${video ? `, and ${percent(frames, 0)} in its own frames` : ''}`;
  const indirect = `${percent(outside)} came through the branch weights alone`;
  const alone = reach.all < 1 ? `; ${indirect}` : '';
  return `can depend on ${percent(reach.all)} of the pixels (${percent(reach.convolutions)} by convolutions alone). On the clip, ${where}${alone}.`;
}

/** Warns of unequal step times or CPU contention, which make times unreliable; null if there is neither. */
export function explainInterference({ fastest, slowest, steps, others }: Cost): string | null {
  const range = `The ${steps} steps took from ${duration(fastest / 1000)} to ${duration(slowest / 1000)}`;
  const taken = `other programs used ${percent(others, 0)} of the CPU time`;
  const signs = [...(slowest < 1.3 * fastest ? [] : [range]), ...(others <= QUIET_SHARE ? [] : [taken])];
  if (signs.length === 0) return null;
  const text = signs.join(', and ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}: the machine was busy, so times and shares of limits are unreliable.`;
}
