import pc from 'picocolors';
import type { Cost, CostOp, CostSum } from '../../study/cost';
import { explainInterference, explainPeak, explainField, explainStage } from '../../study/explain';
import { middleOf, type Mixing } from '../../study/mixing';
import { amount, bytes, percent, significant, table } from '../../terminal/format';

const MOST = 10;

const figures = ({ ms, macs, read, written, intensity, gflops, share, limit }: CostSum | CostOp): string[] => [
  significant(ms, 3),
  macs === 0 ? '–' : (macs / 1e9).toFixed(3),
  significant((read + written) / 1e6, 3),
  macs === 0 ? '–' : significant(intensity, 3),
  macs === 0 ? '–' : significant(gflops, 3),
  `${percent(share, 0)} ${limit}`,
];

const HEAD = ['ms', 'GMACs', 'MB', 'MACs/B', 'GFLOP/s', 'of limit'];

function stageTable({ stages, total }: Cost): string {
  const row = (s: CostSum) => [s.name, percent(s.ms / total.ms, 0), ...figures(s)];
  return table([...stages, total].map(row), { head: ['', 'time', ...HEAD] });
}

function opTable({ ops, total }: Cost): string {
  const most = [...ops].sort((a, b) => b.ms - a.ms).slice(0, MOST);
  const rows = most.map((op) => [op.kernel, op.layer, op.shape, percent(op.ms / total.ms, 0), ...figures(op)]);
  const head = ['most expensive', 'layer', 'shape', 'time', ...HEAD];
  return table(rows, { head, align: ['left', 'left', 'left', ...HEAD.map(() => 'right' as const), 'right'] });
}

/** Text of the part `cost` for the terminal: stages, the most expensive ops, and a sentence for each stage. */
export function costText(cost: Cost): string {
  const { limits, ms, outsideMs, work, batch, steps } = cost;
  const step = `${work === 'train' ? 'training step' : 'forward pass'} of ${amount(batch, 'clip')}`;
  const sentences = cost.stages.map((stage) => `${pc.bold(stage.name)}: ${explainStage(stage, cost)}`);
  const noise = explainInterference(cost);
  return [
    `${step}: ${significant(ms, 4)} ms (median of ${steps}), ${significant(outsideMs, 2)} of it outside of kernels`,
    `limits here and now: ${significant(limits.gflops, 3)} GFLOP/s of multiply-adds, ${significant(limits.gbs, 3)} GB/s of copying`,
    ...['', stageTable(cost), '', opTable(cost), '', ...sentences, '', explainPeak(cost, bytes)],
    ...(noise ? [pc.yellow(noise)] : []),
  ].join('\n');
}

/** Text of the part `mixing` for the terminal: a sentence for the end of each stage. */
export function mixingText(mixing: Mixing): string {
  const { levels, sensitivities, clip } = mixing;
  const middle = sensitivities.filter(({ level, token }) => token === middleOf(levels[level]!.size));
  const lines = middle.map((s) => {
    const { name, stage } = levels[s.level]!;
    return `${pc.bold(`stage ${stage}`)}: the middle token of ${name} ${explainField(mixing, s)}`;
  });
  return ['', ...lines, `The clip is ${clip ?? 'noise: none was given'}.`].join('\n');
}
