/** What a change of the network would cost, live; the same network with other spatial operations; cost against accuracy. */
import { PAPER, TITLES, type PaperEntry } from '../../bench/paper/tables';
import { SWITCHES } from '../../models/ablation';
import { VARIANTS } from '../../models/config';
import { countOps } from '../../models/flops';
import { STAGES, type Cost } from '../../study/cost';
import type { Study } from '../../study/types';
import { compareSpatial, type Measured, type Spatial } from '../../study/what_if';
import { count, ratio, significant } from '../../terminal/format';
import { html, type Content, type Html } from '../html';
import { scrollTable } from '../parts';
import { term } from './glossary';
import { plot, type StudyChart, type StudySection } from './section';

const SPATIAL_NAMES: Readonly<Record<Spatial, string>> = {
  morph_fc: 'MorphFC',
  conv_3x3: 'convolution 3 × 3',
  conv_7x7: 'convolution 7 × 7',
  group_conv: 'group convolution',
  attention: 'attention in a frame',
};

/** Time of one clip in the stem, the stages and the head, with the machine's limits. */
export function measuredOf({ stages, limits, batch }: Cost): Measured {
  const rates = STAGES.slice(0, 6).map((name) => {
    const found = stages.find((stage) => stage.name === name);
    return { ms: (found?.ms ?? 0) / batch, macs: (found?.macs ?? 0) / batch };
  });
  return { rates, limits: { gflops: limits.gflops, gbs: limits.gbs } };
}

function slider(name: string, text: Content, more = ''): Html {
  return html`<label class="slider"
    ><span>${text}</span><input type="range" data-what="${name}" ${{ markup: more }} /><output
      data-shown="${name}"
    ></output
  ></label>`;
}

function select(name: string, text: Content, pairs: readonly (readonly [string, string])[]): Html {
  const options = pairs.map(([value, shown]) => html`<option value="${value}">${shown}</option>`);
  return html`<label class="slider"
    ><span>${text}</span
    ><select data-what="${name}">
      ${options}
    </select></label
  >`;
}

const same = (values: readonly string[]) => values.map((value) => [value, value] as const);

function controls(): Html {
  const models = [['', 'this model'] as const, ...same(Object.keys(VARIANTS))];
  return html`<div class="sliders">
    ${select('base', 'start from', models)} ${select('spatial', 'spatial part', Object.entries(SPATIAL_NAMES))}
    ${select('branches', html`${term('branch', 'branches')}`, same(SWITCHES.branches))}
    ${select('weighting', html`${term('branch weights')}`, same(SWITCHES.weighting))}
    ${[1, 2, 3, 4].map((stage) => slider(`chunk${stage}`, html`${term('chunk length', 'L')} of stage ${stage}`))}
    ${slider('groups', html`channels of a ${term('group')}`, 'min="0" max="2" step="1"')}
    ${slider('width', 'width, times', 'min="0.25" max="2" step="0.25"')}
    ${slider('frames', 'frames', 'min="2" max="64" step="2"')}
    ${slider('size', 'input side, pixels', 'min="32" max="448" step="32"')}
    <button type="button" data-what="reset">As it is</button>
  </div>`;
}

const CARDS = [
  ['params', 'Parameters'],
  ['macs', 'Multiply-adds'],
  ['bytes', 'Bytes moved at least'],
  ['ms', 'Predicted time'],
] as const;

const STAGE_HEAD = ['', 'Grid', 'C', 'L', 'S', 'Chunks a frame', 'Padding', 'Parameters', 'GMACs', 'Predicted ms'];

function explorer({ cost }: Study): Html {
  const cards = CARDS.map(
    ([key, name]) =>
      html`<div class="card">
        <dt>${name}</dt>
        <dd><output data-out="${key}"></output><small data-note="${key}"></small></dd>
      </div>`,
  );
  const head = STAGE_HEAD.map((name) => html`<th scope="col">${name}</th>`);
  const how = cost
    ? html`Predicted is the measured time of a stage for each of its multiply-adds, times the new multiply-adds: exact
      for this model, a guess for another operation. “At least” is what the machine’s limits allow.`
    : html`No time is predicted, because the part cost was not studied.`;
  return html`<div class="panel" id="what-if-view">
    ${controls()}
    <p class="note warn" data-what="refused" role="alert" hidden></p>
    <dl class="cards">${cards}</dl>
    <p data-what="reading" class="reading" aria-live="polite"></p>
    ${scrollTable({ label: 'Stages of the changed network', head, rows: html`` })}
    <p class="hint">${how} Bytes are those of FCs and convolutions in f32, each tensor once.</p>
  </div>`;
}

function comparison({ model }: Study): Html {
  const named = ['image-t', 'image-s', 'image-b', 'image-l'].map((name) => {
    const { config, crop } = VARIANTS[name]!;
    return { name, config, crop };
  });
  const rows = [{ name: model.name, config: model.config, crop: model.crop }, ...named].map(
    ({ name, config, crop }) => {
      const costs = compareSpatial(config, crop);
      const cells = costs.map(({ params, macs }) => html`<td>${count(params, 1)} · ${significant(macs / 1e9, 3)}</td>`);
      return html`<tr>
        <th scope="row">${name}</th>
        ${cells}
      </tr>`;
    },
  );
  const own = compareSpatial(model.config, model.crop);
  const [fc, wide, attention] = (['morph_fc', 'conv_7x7', 'attention'] as const).map((wanted) =>
    own.find(({ spatial }) => spatial === wanted)!,
  ) as [(typeof own)[0], (typeof own)[0], (typeof own)[0]];
  const head = ['', ...Object.values(SPATIAL_NAMES)].map((name) => html`<th scope="col">${name}</th>`);
  return html`<div class="panel">
    <h3>The same network with convolutions and with attention</h3>
    <p class="lead">
      In ${model.name}, a 7 × 7 convolution in place of MorphFC takes ${ratio(wide.macs / fc.macs)} the multiply-adds,
      attention over a frame ${ratio(attention.macs / fc.macs)}.
    </p>
    ${scrollTable({ label: 'Spatial operations', head, rows })}
    <p class="muted">
      Parameters · GMACs of one view. Convolutions are the switches of the paper’s table 10, and train here. Attention
      is self-attention over all tokens of a frame with an FC before and after, in place of branches, weights and
      projection: counted, not built.
    </p>
  </div>`;
}

/** A point of the chart: a row of the paper, or this checkpoint on its own clips. */
interface AccuracyPoint {
  series: string;
  name: string;
  gmacs: number;
  top1: number;
}

const SETS: Readonly<Record<number, string>> = { 1: '--series1', 3: '--series2', 4: '--series3', 5: '--series4' };

const accuracyRows = (): PaperEntry[] => PAPER.filter(({ table }) => table in SETS);

function ownPoint({ model, learned }: Study): AccuracyPoint | null {
  const right = learned?.ablation?.correct;
  if (model.checkpoint === null || right === null || right === undefined) return null;
  const { clips } = learned!.ablation!;
  return { series: 'this checkpoint', name: `${clips} clips`, gmacs: model.macs / 1e9, top1: (100 * right) / clips };
}

function accuracyChart(study: Study): StudyChart & Record<string, unknown> {
  const published = accuracyRows().flatMap(({ table, name, paper, top1 }): AccuracyPoint[] =>
    top1 === undefined || paper.gmacs === null ? [] : [{ series: TITLES[table], name, gmacs: paper.gmacs, top1 }],
  );
  const own = ownPoint(study);
  const points = own ? [...published, own] : published;
  const series = [...new Set(points.map((point) => point.series))].map((name, i) => ({
    name,
    color: Object.values(SETS)[i] ?? '--val',
    points: points.filter((point) => point.series === name),
  }));
  return {
    ...{ type: 'accuracy', id: 'accuracy-cost', title: 'Accuracy against multiply-adds over all views' },
    description: `${published.length} points of the paper${own ? ', and this checkpoint on its own clips' : ''}.`,
    series,
    readings: series.flatMap(({ name, points: all }, s) =>
      all.map((p, i) => [s, i, `${name}, ${p.name}: ${p.top1.toFixed(1)}% at ${significant(p.gmacs, 3)} GMACs`]),
    ),
  };
}

function accuracyTable(): Html {
  const head = ['', 'Paper: GMACs', 'Ours: GMACs', 'Paper: top-1', 'Ours: top-1'].map(
    (name) => html`<th scope="col">${name}</th>`,
  );
  const rows = accuracyRows().map(({ table, name, config, views, paper, top1 }) => {
    const ours = (countOps(config).macs / 1e9) * views.crops * views.clips;
    return html`<tr>
      <th scope="row">${TITLES[table]}, ${name}</th>
      <td>${paper.gmacs ?? '–'}</td>
      <td>${significant(ours, 4)}</td>
      <td>${top1 === undefined ? 'not found' : `${top1}%`}</td>
      <td>not measured</td>
    </tr>`;
  });
  return html`<details class="panel">
    <summary>Points as a table: the paper’s, and ours</summary>
    <p class="muted">
      Accuracies of video models are those of the authors’ README, that of image L is the paper’s. Ours are not
      measured: that takes training on these data sets. Multiply-adds are counted from the network.
    </p>
    ${scrollTable({ label: 'Points of the paper', head, rows })}
  </details>`;
}

/** The section of changed networks. Needs no measurement; with one it predicts times. */
export function whatIfSection(study: Study): StudySection {
  const { model, cost } = study;
  const chart = accuracyChart(study);
  const legend = (chart['series'] as { name: string; color: string }[]).map(
    ({ name, color }) => html`<span><i class="swatch c${color}"></i>${name}</span>`,
  );
  const body = html`<p class="lead">
      Move a slider and see what the network would cost. ${term('chunk length', 'Chunk length')} changes which tokens
      are mixed, not the cost: each branch stays one product of C × C for every token. Width counts twice, frames and
      pixels once.
    </p>
    ${explorer(study)} ${comparison(study)} ${plot(chart, legend, 'whole')} ${accuracyTable()}`;
  return {
    ...{ id: 'what-if', name: 'What if', body, charts: [chart] },
    data: {
      ...{ config: model.config, crop: model.crop, measured: cost ? measuredOf(cost) : null },
      ...{ switches: SWITCHES, work: cost?.work ?? null },
    },
    ...{ modules: ['study/what_if', 'models/config'], scripts: ['study_what_if.js'] },
    styles: ['palette.css', 'study.css', 'study_network.css', 'study_what_if.css'],
  };
}
