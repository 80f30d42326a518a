/** Costs in words: why a stage takes the time it takes. */
import { QUIET } from '../bench/cpu_contention';
import { duration, percent, ratio, significant } from '../terminal/format';
import type { Cost, CostOp, CostSum } from './cost';
import type { Mixing, Sensitivity } from './mixing';

/** The time an op takes beyond what the machine's limits allow. */
export const lostMs = ({ ms, floorMs }: CostOp | CostSum): number => Math.max(0, ms - floorMs);

/** The kernel that loses most of a stage's time, and its share of what the stage loses. */
function worst(ops: readonly CostOp[]): { kernel: string; share: number } | null {
  const lost = new Map<string, number>();
  for (const op of ops) lost.set(op.kernel, (lost.get(op.kernel) ?? 0) + lostMs(op));
  const all = [...lost.values()].reduce((a, b) => a + b, 0);
  const [first] = [...lost].sort(([, a], [, b]) => b - a);
  return first && all > 0 ? { kernel: first[0], share: first[1] / all } : null;
}

/** Which limit binds, by the share of the least time that it sets. */
function binding({ limit, floorMs }: CostSum, ops: readonly CostOp[]): string {
  const bound = ops.reduce((sum, op) => sum + (op.limit === limit ? op.floorMs : 0), 0);
  const name = limit === 'FMA' ? 'multiply-adds bind' : 'memory binds';
  return `${name} (${percent(bound / floorMs, 0)} of the least time it could take)`;
}

/** A stage in a sentence: its share of time and work, what binds it, how near it comes to that, and where the rest goes. */
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

/** Where memory peaks, in a sentence. */
export function explainPeak({ ops, peakOp, peakBytes }: Cost, bytes: (n: number) => string): string {
  const op = ops[peakOp]!;
  return `Tensors take at most ${bytes(peakBytes)}, under ${op.kernel} of ${op.layer} (${op.phase}).`;
}

/** What the middle token of a level sees, in a sentence: by the index maps, and by its gradient on the clip. */
export function explainSight({ levels, growth }: Mixing, { level, outside, half, frames }: Sensitivity): string {
  const reach = growth.find((g) => g.level === level)!;
  const video = levels[0]!.size[0] > 1;
  const where = `half of what moves it lies in ${percent(half)} of the picture cells${video ? `, and ${percent(frames, 0)} in its own frames` : ''}`;
  const indirect = `${percent(outside)} came through the branch weights alone`;
  const alone = reach.all < 1 ? `; ${indirect}` : '';
  return `can depend on ${percent(reach.all)} of the pixels (${percent(reach.convolutions)} by convolutions alone). On the clip, ${where}${alone}.`;
}

/** That steps took unlike times, or others a part of the machine; null where neither is so. On a busy machine, times say little. */
export function explainNoise({ fastest, slowest, steps, others }: Cost): string | null {
  const range = `The ${steps} steps took from ${duration(fastest / 1000)} to ${duration(slowest / 1000)}`;
  const taken = `others took ${percent(others, 0)} of the processors' time`;
  const signs = [...(slowest < 1.3 * fastest ? [] : [range]), ...(others <= QUIET ? [] : [taken])];
  if (signs.length === 0) return null;
  const text = signs.join(', and ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}: the machine was busy with other work, and times and shares of limits say little.`;
}
