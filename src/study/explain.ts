/** Costs in words: why a stage takes the time it takes. */
import { percent, ratio, significant } from '../cli/format';
import type { Cost, CostOp, CostSum } from './cost';

const LIMITS = { FMA: 'multiply-adds bind', memory: 'memory binds' } as const;

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

/** A stage in a sentence: its share of time and work, what binds it, how near it comes to that, and where the rest goes. */
export function explainStage(stage: CostSum, { ops, total, limits }: Cost): string {
  const own = ops.filter((op) => op.stage === stage.name);
  const time = `${percent(stage.ms / total.ms)} of the time`;
  const found = worst(own);
  const rest = found ? `; ${percent(found.share, 0)} of what it loses is lost in ${found.kernel}` : '';
  if (stage.macs === 0)
    return `${time}, no multiply-adds: ${significant(stage.gbs, 3)} GB/s of ${significant(limits.gbs, 3)}${rest}.`;
  if (stage.ms < 0.005 * total.ms) return `${time}: too little to matter.`;
  const relative = stage.ms / stage.macs / (total.ms / total.macs);
  const each = `${percent(stage.macs / total.macs)} of the multiply-adds (${ratio(relative)} the network's time for each)`;
  const intensity = `${significant(stage.intensity, 3)} multiply-adds a byte`;
  const balance = `${significant(limits.gflops / 2 / limits.gbs, 3)} are where memory stops binding`;
  const reach = `it reaches ${percent(stage.share, 0)} of that limit`;
  return `${time} for ${each}; at ${intensity} (${balance}) ${LIMITS[stage.limit]}, and ${reach}${rest}.`;
}

/** Where memory peaks, in a sentence. */
export function explainPeak({ ops, peakOp, peakBytes }: Cost, bytes: (n: number) => string): string {
  const op = ops[peakOp]!;
  return `Tensors take at most ${bytes(peakBytes)}, under ${op.kernel} of ${op.layer} (${op.phase}).`;
}
