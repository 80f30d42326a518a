import { verdict } from '../../study/ablate';
import type { AblationStudy, BranchWeights, LearnedStudy } from '../../study/learned_types';
import { percent, table } from '../../terminal/format';

function weightRows(weights: readonly BranchWeights[]): string[][] {
  return weights.map(({ block, branches }) => [
    block,
    ...(['height', 'width', 'channel'] as const).map((name) => {
      const found = branches.find(({ branch }) => branch === name);
      return found ? `${percent(found.channels.mean, 0)} (leads ${percent(found.leading, 0)})` : '';
    }),
  ]);
}

function ablationRows({ off, clips, macs }: AblationStudy): string[][] {
  return off.map((one) => [
    one.part,
    one.stage === null ? 'all' : String(one.stage),
    one.correct === null ? '' : percent(one.correct / clips),
    one.interval === null ? '' : one.interval.map((share) => percent(share, 0)).join('–'),
    one.loss === null ? '' : `${one.loss.rise >= 0 ? '+' : ''}${one.loss.rise.toFixed(3)}`,
    `${one.changed} of ${clips}`,
    `${percent(one.macs / macs)}`,
    verdict(one),
  ]);
}

function ablationText(ablation: AblationStudy): string {
  const { clips, correct, interval, others } = ablation;
  const base =
    correct === null
      ? `${clips} clips without labels`
      : `${percent(correct / clips)} of ${clips} clips are right (95%: ${interval!.map((share) => percent(share, 0)).join('–')})`;
  const head = ['off', 'stage', 'accuracy', '95%', 'loss', 'other class', 'of the GMACs', ''];
  const rows = table(ablationRows(ablation), {
    head,
    align: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  return `Parts switched off: ${base}; the weights of the other branches are ${others}\n${rows}`;
}

/** Text of the part `learned` for the terminal. */
export function learnedText({ weights, ablation, clips }: LearnedStudy): string {
  if (!weights || !ablation)
    return '\nWhat was learned: without clips, only the FC matrices are looked at (see the page)';
  const branches = table(weightRows(weights), { head: ['block', 'height', 'width', 'channel'] });
  return `\nBranch weights, mean over ${clips} clips and the channels (share of channels where the branch leads)\n${branches}\n\n${ablationText(ablation)}`;
}
