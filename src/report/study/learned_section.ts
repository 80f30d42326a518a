import { amount, percent, significant } from '../../terminal/format';
import { verdict } from '../../study/ablate';
import type {
  AblationStudy,
  BlockActivations,
  BranchWeights,
  ClipSaliency,
  LearnedPictures,
  MixingPart,
  SaliencyStudy,
} from '../../study/learned_types';
import type { Study } from '../../study/types';
import { html, type Content, type Html } from '../html';
import { card, foldedTable, scrollTable } from '../parts';
import { matrixPicker, pickedMatrices, type NamedLearned } from './matrix_picker';
import type { StudySection } from './section';

const BRANCHES: readonly MixingPart[] = ['height', 'width', 'channel'];

const head = (names: readonly string[]): Html[] => names.map((name) => html`<th scope="col">${name}</th>`);

const row = (name: Content, cells: readonly Content[]): Html =>
  html`<tr>
    <th scope="row">${name}</th>
    ${cells.map((cell) => html`<td>${cell}</td>`)}
  </tr>`;

function weightBar({ block, branches }: BranchWeights): Html {
  const parts = branches.map(
    ({ branch, channels }) =>
      html`<i class="part-${branch}" style="width:${(100 * channels.mean).toFixed(1)}%"
        ><span>${percent(channels.mean, 0)}</span></i
      >`,
  );
  const weights = branches.map(({ branch, channels }) => `${branch} ${percent(channels.mean, 0)}`).join(', ');
  return html`<li>
    <span class="block">${block}</span>
    <span class="share-bar weights" role="img" aria-label="${block}: ${weights}">${parts}</span>
  </li>`;
}

function weightTable(weights: readonly BranchWeights[]): Html {
  const rows = weights.flatMap(({ block, branches }) =>
    branches.map(({ branch, channels: c, clipDeviation, leading }) =>
      row(`${block} ${branch}`, [
        ...[c.mean, c.min, c.q1, c.median, c.q3, c.max].map((share) => percent(share)),
        clipDeviation === null ? '–' : percent(clipDeviation),
        percent(leading, 0),
      ]),
    ),
  );
  const names = ['', 'Mean', 'Least', 'Quarter', 'Median', 'Three quarters', 'Most', 'From clip to clip', 'Leads'];
  return foldedTable('Branch weights over the channels', 'Branch weights over the channels', head(names), rows);
}

/** Says in how many blocks each branch has the largest mean weight. */
function weightLead(weights: readonly BranchWeights[]): string {
  const leaders = weights.map(({ branches }) => branches.reduce((a, b) => (b.channels.mean > a.channels.mean ? b : a)));
  const counts = BRANCHES.map((part) => [part, leaders.filter(({ branch }) => branch === part).length] as const);
  const [[first, most], ...rest] = [...counts].sort(([, a], [, b]) => b - a) as [(typeof counts)[0], ...typeof counts];
  const others = rest.flatMap(([part, n]) => (n > 0 ? [`, ${part} in ${n}`] : [])).join('');
  return `The ${first} branch weighs most in ${most} of ${weights.length} blocks${others}.`;
}

function weightsPanel({ name, learned }: NamedLearned, several: boolean): Html | null {
  const { weights } = learned;
  if (!weights) return null;
  const legend = BRANCHES.map((branch) => html`<span><i class="swatch part-${branch}"></i>${branch}</span>`);
  return html`<div class="panel">
    <h3>Which branch each block relies on${several && `: ${name}`}</h3>
    <p class="lead">${weightLead(weights)}</p>
    <div class="legend">${legend}</div>
    <ul class="weight-bars">
      ${weights.map(weightBar)}
    </ul>
    <p class="note">Softmax weights of the branches, mean over clips and channels. Stage 4 has no width branch.</p>
    ${weightTable(weights)}
  </div>`;
}

/** Names the part whose absence costs most, or says that none is beyond chance. */
function ablationLead({ clips, correct, off }: AblationStudy): string {
  if (correct === null) return 'The clips have no labels: only changes of the predicted class can be counted.';
  const base = `${percent(correct / clips)} of ${amount(clips, 'clip')} are right`;
  const worst = off.reduce((a, b) => ((b.correct ?? clips) < (a.correct ?? clips) ? b : a));
  if (worst.correct === null || worst.correct >= correct)
    return `${base}; no part costs accuracy when it is switched off.`;
  const where = worst.stage === null ? 'in all stages' : `in stage ${worst.stage}`;
  const part = worst.part === 'temporal' ? 'mixing in time' : `the ${worst.part} branch`;
  return `${base}. Without ${part} ${where} it is ${percent(worst.correct / clips)} (${verdict(worst)}): no other part costs more.`;
}

function ablationPanel({ name, learned }: NamedLearned, several: boolean): Html | null {
  const { ablation } = learned;
  if (!ablation) return null;
  const { clips, others, correct, macs, off } = ablation;
  const rows = off.map((one) =>
    row(`${one.part}, ${one.stage === null ? 'all stages' : `stage ${one.stage}`}`, [
      one.correct === null ? '–' : percent(one.correct / clips),
      one.interval === null ? '–' : one.interval.map((share) => percent(share, 0)).join('–'),
      one.loss === null ? '–' : `${one.loss.rise >= 0 ? '+' : ''}${one.loss.rise.toFixed(3)}`,
      `${one.changed} of ${clips}`,
      percent(one.macs / macs),
      verdict(one),
    ]),
  );
  const base =
    correct === null
      ? 'The clips have no labels'
      : `The unchanged model classifies ${percent(correct / clips)} correctly`;
  const names = ['Off', 'Accuracy', '95%', 'Loss', 'Other class', 'Of the GMACs', 'Difference'];
  return html`<div class="panel">
    <h3>Ablation of parts${several && `: ${name}`}</h3>
    <p class="lead">${ablationLead(ablation)}</p>
    <details class="ops">
      <summary>All parts, with intervals</summary>
      <p class="note">
        ${base}; ${amount(clips, 'clip')}. A branch is switched off by giving it the weight 0; the weights of the others
        are ${others}. Time is switched off by passing the block's input through. The interval is the 95% Wilson
        interval; the chance is the p-value of the difference (exact McNemar test).
      </p>
      ${scrollTable({ label: several ? `Parts switched off: ${name}` : 'Parts switched off', head: head(names), rows })}
    </details>
  </div>`;
}

function activationTable(activations: readonly BlockActivations[]): Html {
  const rows = activations.map(({ block, input, temporal, spatial, mlp }) =>
    row(block, [
      significant(input.rms, 3),
      [input.channels.median, input.channels.q1, input.channels.q3, input.channels.max]
        .map((v) => significant(v, 2))
        .join(' · '),
      ...[temporal, spatial, mlp].map((part) => (part === null ? '–' : percent(part.relative))),
    ]),
  );
  const names = [
    '',
    'RMS of x',
    'Channels: median · quarter · three quarters · most',
    'Time adds',
    'Space adds',
    'MLP adds',
  ];
  return foldedTable('Size of the activations, and what each part adds to them', 'Activations', head(names), rows);
}

function saliencyOf(clip: ClipSaliency, picture: LearnedPictures['saliency'][number], names: readonly string[]): Html {
  const name = (i: number) => names[i] ?? `class ${i}`;
  const most = clip.frames.indexOf(Math.max(...clip.frames));
  const said = `${name(clip.predicted)}, ${percent(clip.probability)}`;
  const truth = clip.label >= 0 ? ` (true: ${name(clip.label)})` : '';
  const strip = (image: string, what: string) =>
    html`<figure>
      <img src="${image}" width="${picture.width}" height="${picture.height}" alt="${what} of ${clip.path}" />
      <figcaption>${what}</figcaption>
    </figure>`;
  return html`<div class="panel saliency">
    <h3>${clip.path}: ${said}${truth}</h3>
    <p class="note">
      Frame ${most + 1} has ${percent(clip.frames[most]!, 0)} of the gradient; drawn are frames
      ${picture.shown.map((frame) => frame + 1).join(', ')}.
    </p>
    ${strip(picture.frames, 'Frames')} ${strip(picture.magnitude, 'Gradient of the predicted class')}
    ${strip(picture.contribution, 'Gradient × input: for it (orange), against it (blue)')}
  </div>`;
}

function saliencyPanels(
  { clips, copies, noise }: SaliencyStudy,
  pictures: LearnedPictures,
  names: readonly string[],
): Html {
  const how =
    copies > 0 ? `averaged over ${copies} copies with noise of ${percent(noise, 0)} of the range` : 'of the clip alone';
  const panels = clips.map((clip, i) => saliencyOf(clip, pictures.saliency[i]!, names));
  return html`<h3>Saliency</h3>
    <p class="lead">Where a small change of the pixels would change the predicted class most.</p>
    <p class="note">Gradients of the logit, ${how}.</p>
    ${panels[0]}
    ${
      panels.length > 1 &&
      html`<details class="panel">
        <summary>${amount(panels.length - 1, 'more clip')}</summary>
        ${panels.slice(1)}
      </details>`
    }`;
}

function cards({ name, learned: { clips, ablation, weights } }: NamedLearned, several: boolean): Html {
  const time = ablation?.off.find(({ part, stage }) => part === 'temporal' && stage === null);
  const without = time && time.correct !== null && card('Without time', percent(time.correct / clips), verdict(time));
  const right =
    ablation &&
    ablation.correct !== null &&
    card('Right', percent(ablation.correct / clips), `of ${clips} clips`, true);
  return html`<div>
    ${several && html`<h3>${name}</h3>`}
    <dl class="cards">
      ${right} ${without} ${card('Clips', String(clips), clips === 0 ? 'only the weights are looked at' : 'looked at')}
      ${weights && card('Blocks', String(weights.length), 'watched while they ran')}
    </dl>
  </div>`;
}

/** The checkpoint under study, and the one beside it if two were given. */
function checkpointsOf({ model, learned, against }: Study): NamedLearned[] {
  const first = { name: model.checkpoint ?? model.name, learned: learned! };
  return against ? [first, { name: against.checkpoint, learned: against.learned }] : [first];
}

/** The same panel of each checkpoint, side by side if there are two. */
function beside(all: readonly NamedLearned[], panel: (one: NamedLearned, several: boolean) => Html | null): Html {
  const panels = all.map((one) => panel(one, all.length > 1));
  return all.length > 1 ? html`<div class="grid two">${panels}</div>` : html`${panels}`;
}

/** Random weights have nothing to show but this sentence. */
function untrained(): StudySection {
  const body = html`<p class="lead">
    The weights are random: nothing has been learned yet. Train a model and give its weights, such as
    <code>morphmlp study --checkpoint runs/mine/best.safetensors --data val.csv</code>.
  </p>`;
  return { id: 'learned', name: 'What was learned', body, styles: ['study.css', 'study_network.css'] };
}

/** The section on what the model has learned. */
export function learnedSection(study: Study): StudySection | null {
  const { learned, model } = study;
  if (model.checkpoint === null) return untrained();
  if (!learned) return null;
  const { activations, saliency, pictures } = learned;
  const all = checkpointsOf(study);
  const body = html`${beside(all, cards)} ${beside(all, weightsPanel)} ${beside(all, ablationPanel)}
  ${activations && activationTable(activations)}
  ${saliency && pictures && saliencyPanels(saliency, pictures, model.classNames)} ${matrixPicker(learned)}`;
  return {
    ...{ id: 'learned', name: 'What was learned', body, data: pickedMatrices(all) },
    scripts: ['study_matrices.js'],
    styles: ['study.css', 'study_network.css', 'study_learned.css'],
  };
}
