import { amount, percent, significant } from '../../terminal/format';
import { verdict } from '../../study/ablate';
import type {
  AblationStudy,
  BlockActivations,
  BranchWeights,
  ClipSaliency,
  LearnedPictures,
  LearnedStudy,
  MatrixNorms,
  MatrixPicture,
  MixingPart,
  SaliencyStudy,
} from '../../study/learned_types';
import type { Study } from '../../study/types';
import { html, type Content, type Html } from '../html';
import { card, foldedTable, scrollTable } from '../parts';
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

function weightsPanel(weights: readonly BranchWeights[]): Html {
  const legend = BRANCHES.map((branch) => html`<span><i class="swatch part-${branch}"></i>${branch}</span>`);
  return html`<div class="panel">
      <h3>Which branch each block relies on</h3>
      <p class="note">Softmax weights of the branches, mean over clips and channels. Stage 4 has no width branch.</p>
      <div class="legend">${legend}</div>
      <ul class="weight-bars">
        ${weights.map(weightBar)}
      </ul>
    </div>
    ${weightTable(weights)}`;
}

function ablationPanel(ablation: AblationStudy): Html {
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
    <h3>Ablation of parts</h3>
    <p class="note">
      ${base}; ${amount(clips, 'clip')}. A branch is switched off by giving it the weight 0; the weights of the others
      are ${others}. Time is switched off by passing the block's input through. The interval is the 95% Wilson interval;
      the chance is the p-value of the difference (exact McNemar test).
    </p>
    ${scrollTable({ label: 'Parts switched off', head: head(names), rows })}
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
  return html`<h3>Saliency</h3>
    <p class="note">Gradients of the logit, ${how}.</p>
    ${clips.map((clip, i) => saliencyOf(clip, pictures.saliency[i]!, names))}`;
}

function matrixFigure({ image, limit, name }: MatrixPicture, blocks: number, what: string): Html {
  return html`<figure>
    <span class="matrix" style="--blocks:${blocks}"><img src="${image}" alt="${what} of ${name}" /></span>
    <figcaption>${what}; full colour from ±${significant(limit, 2)}</figcaption>
  </figure>`;
}

function matrixPanel(norms: MatrixNorms, pictures: LearnedPictures | undefined): Html {
  const { name, part, positions, channels, size, shares } = norms;
  const of = (list: readonly MatrixPicture[] | undefined) => list?.find((one) => one.name === name);
  const [grid, weights] = [of(pictures?.norms), of(pictures?.matrices)];
  const what = part === 'temporal' ? 'time step' : 'position of the chunk';
  const where =
    shares.own + shares.before + shares.after === 0
      ? 'All weights are 0.'
      : `Of the squares, ${percent(shares.own)} are on the same ${what}, ${percent(shares.before)} on earlier ones, ${percent(shares.after)} on later ones.`;
  const note =
    positions > 1 &&
    html`<p class="note">${positions} × ${positions} blocks of ${channels} × ${channels}. ${where}</p>`;
  return html`<details class="panel matrix-panel">
    <summary>${name}</summary>
    ${note}
    <div class="matrices">
      ${grid && matrixFigure(grid, positions, `${positions} × ${positions} block norms`)}
      ${weights && matrixFigure(weights, positions, `${size} × ${size} weights`)}
    </div>
  </details>`;
}

function matrixPanels({ matrices, pictures }: LearnedStudy): Html {
  const left = pictures?.leftOut.length ?? 0;
  const note =
    left > 0 &&
    html`<p class="note">
      Pictures of all weights take at most ${significant((pictures!.budget ?? 0) / 1e6, 2)} MB of the page: those of
      ${left} matrices were left out.
    </p>`;
  return html`<h3>Weights between positions</h3>
    <p class="note">
      Rows are outputs, columns inputs; a cell is the root mean square of the weights between two positions.
    </p>
    ${note} ${matrices.map((norms) => matrixPanel(norms, pictures))}`;
}

function cards({ clips, ablation, weights }: LearnedStudy): Html {
  const time = ablation?.off.find(({ part, stage }) => part === 'temporal' && stage === null);
  const without = time && time.correct !== null && card('Without time', percent(time.correct / clips), verdict(time));
  const right =
    ablation &&
    ablation.correct !== null &&
    card('Right', percent(ablation.correct / clips), `of ${clips} clips`, true);
  return html`<dl class="cards">
    ${right} ${without} ${card('Clips', String(clips), clips === 0 ? 'only the weights are looked at' : 'looked at')}
    ${weights && card('Blocks', String(weights.length), 'watched while they ran')}
  </dl>`;
}

/** The section on what the model has learned. */
export function learnedSection({ learned, model }: Study): StudySection | null {
  if (!learned) return null;
  const { weights, activations, saliency, ablation, pictures } = learned;
  const random =
    model.checkpoint === null &&
    html`<p class="note warn"><b>Random weights</b> the model is untrained: give --checkpoint.</p>`;
  const body = html`${random} ${cards(learned)} ${weights && weightsPanel(weights)}
  ${ablation && ablationPanel(ablation)} ${activations && activationTable(activations)}
  ${saliency && pictures && saliencyPanels(saliency, pictures, model.classNames)} ${matrixPanels(learned)}`;
  return { id: 'learned', name: 'What was learned', body, styles: ['study.css', 'study_learned.css'] };
}
