import { amount, bytes, duration, macs, percent, significant } from '../../terminal/format';
import { sumOf, type Cost, type CostFigures, type CostOp, type CostSum } from '../../study/cost';
import { explainInterference, explainPeak, explainStage, leadStage } from '../../study/explain';
import type { Study } from '../../study/types';
import { html, type Html } from '../html';
import { card, foldedTable } from '../parts';
import { plot, type StudyChart, type StudySection } from './section';

/** One row of a tooltip. */
type Fact = [name: string, value: string];

const ms = (value: number): string => `${significant(value, 3)} ms`;
const colorOf = (stage: string): string => `stage-${stage.replace(/^stage /, '')}`;
const swatch = (stage: string): Html => html`<i class="swatch ${colorOf(stage)}"></i>`;

function factsOf(figures: CostFigures): Fact[] {
  const { macs: work, read, written, intensity, gflops, gbs, share, limit } = figures;
  const arithmetic: Fact[] = [
    ['multiply-adds', macs(work)],
    ['for each byte', significant(intensity, 3)],
    ['GFLOP/s', significant(gflops, 3)],
  ];
  return [
    ['time', ms(figures.ms)],
    ...(work > 0 ? arithmetic : []),
    ['read', bytes(read)],
    ['written', bytes(written)],
    ['GB/s', significant(gbs, 3)],
    ['of its limit', `${percent(share, 0)} (${limit})`],
  ];
}

function cards({ work, batch, steps, ms: whole, total, limits, peakBytes, ops, peakOp }: Cost): Html {
  const what = work === 'train' ? 'Training step' : 'Forward pass';
  const rate = `${significant(total.gflops, 3)} GFLOP/s`;
  return html`<dl class="cards">
    ${card(what, duration(whole / 1000), `${amount(batch, 'clip')}; median of ${steps}`, true)}
    ${card('Multiply-adds', macs(total.macs), rate)}${card('Of the limit', percent(total.share, 0), `${total.limit} binds`)}
    ${card('Machine', `${significant(limits.gflops, 3)} GFLOP/s`, `and ${significant(limits.gbs, 3)} GB/s, measured alongside`)}
    ${card('Tensors at most', bytes(peakBytes), `under ${ops[peakOp]!.layer}`)}
  </dl>`;
}

function reasons(cost: Cost): Html {
  const { stages, total } = cost;
  const bar = stages.map(
    (s) => html`<i class="${colorOf(s.name)}" style="width:${((100 * s.ms) / total.ms).toFixed(2)}%"></i>`,
  );
  const rows = stages.map(
    (s) =>
      html`<dt>${swatch(s.name)}${s.name}</dt>
        <dd>
          <details>
            <summary>${leadStage(s, cost)}</summary>
            ${explainStage(s, cost)}
          </details>
        </dd>`,
  );
  const slowest = stages.reduce((a, b) => (b.ms > a.ms ? b : a));
  return html`<div class="panel">
    <h3>Where the time goes, and why</h3>
    <p class="lead">
      Most time, ${percent(slowest.ms / total.ms, 0)}, goes to ${slowest.name}. The machine could do the whole in
      ${percent(total.share, 0)} of the time if nothing but ${total.limit === 'FMA' ? 'multiply-adds' : 'memory'}
      counted.
    </p>
    <div class="share-bar" aria-hidden="true">${bar}</div>
    <dl class="reasons">${rows}</dl>
  </div>`;
}

const FIGURES = ['Time', 'Share', 'GMACs', 'MB', 'MACs a byte', 'GFLOP/s', 'GB/s', 'Of limit'];

function figureCells(f: CostFigures, total: CostFigures): Html[] {
  const cell = (value: number, text: string) => html`<td data-value="${value}">${text}</td>`;
  const arithmetic = (value: number, text: string) => cell(value, f.macs > 0 ? text : '–');
  const moved = (f.read + f.written) / 1e6;
  return [
    cell(f.ms, ms(f.ms)),
    cell(f.ms, percent(f.ms / total.ms)),
    arithmetic(f.macs, (f.macs / 1e9).toFixed(3)),
    cell(moved, significant(moved, 3)),
    arithmetic(f.intensity, significant(f.intensity, 3)),
    arithmetic(f.gflops, significant(f.gflops, 3)),
    cell(f.gbs, significant(f.gbs, 3)),
    cell(f.share, `${percent(f.share, 0)} ${f.limit}`),
  ];
}

const sortHead = (name: string): Html =>
  html`<th scope="col" aria-sort="none"><button type="button" data-sort="number">${name}</button></th>`;
const textHead = (name: string): Html =>
  html`<th scope="col" class="text" aria-sort="none"><button type="button" data-sort="text">${name}</button></th>`;

function sumTable(sums: readonly CostSum[], total: CostSum, title: string): Html {
  const rows = sums.map(
    (s) =>
      html`<tr>
        <th scope="row">${swatch(s.stage)}${s.name}</th>
        ${figureCells(s, total)}
      </tr>`,
  );
  return foldedTable(title, title, [textHead(''), ...FIGURES.map(sortHead)], rows, true);
}

function opTable({ ops, total }: Cost): Html {
  const rows = [...ops]
    .sort((a, b) => b.ms - a.ms)
    .map(
      (op) =>
        html`<tr>
          <th scope="row">${swatch(op.stage)}${op.layer}</th>
          <td class="text">${op.kernel}</td>
          <td class="text">${op.shape}</td>
          ${figureCells(op, total)}
        </tr>`,
    );
  const head = [...['Layer', 'Kernel', 'Shape'].map(textHead), ...FIGURES.map(sortHead)];
  const title = `All ${ops.length} ops`;
  return foldedTable(title, title, head, rows, true);
}

function sumUnder(name: string, ops: readonly CostOp[]): CostSum {
  const own = ops.filter((op) => op.layer.split('.')[0] === name);
  return sumOf(name, own[0]!.stage, own);
}

/** One bar per block, and per layer outside of blocks: the stem, the downsamplings, the head. */
function barsOf({ ops, blocks }: Cost): CostSum[] {
  const others = ops.filter((op) => op.block === null);
  const names = [...new Set(others.map((op) => op.layer.split('.')[0]!))];
  const sums = names.map((name) => sumUnder(name, others));
  const order = (s: CostSum) => ops.findIndex((op) => (op.block ?? op.layer.split('.')[0]) === s.name);
  return [...blocks, ...sums].sort((a, b) => order(a) - order(b));
}

function barChart(cost: Cost): StudyChart & Record<string, unknown> {
  const bars = barsOf(cost);
  const total = cost.total.ms;
  return {
    ...{ type: 'bars', id: 'blocks', title: 'Time of each block, and the least it could take' },
    description: `The blocks take from ${ms(Math.min(...cost.blocks.map((b) => b.ms)))} to ${ms(Math.max(...cost.blocks.map((b) => b.ms)))}.`,
    bars: bars.map((b) => ({ name: b.name, stage: b.stage, ms: b.ms, floor: b.floorMs, facts: factsOf(b) })),
    readings: bars.map((b, i) => [
      0,
      i,
      `${b.name}: ${ms(b.ms)}, ${percent(b.ms / total)}, ${percent(b.share, 0)} of its limit`,
    ]),
  };
}

function roofline({ ops, limits, total }: Cost): StudyChart & Record<string, unknown> {
  const working = ops.filter((op) => op.macs > 0);
  const intensities = working.map((op) => op.intensity);
  const range = [
    10 ** Math.floor(Math.log10(Math.min(...intensities))),
    10 ** Math.ceil(Math.log10(Math.max(...intensities))),
  ];
  const name = (op: CostOp) => `${op.kernel} · ${op.layer}`;
  return {
    ...{ type: 'roofline', id: 'roofline', title: 'Every op under the roof of the machine' },
    description: `The roof is ${significant(limits.gflops, 3)} GFLOP/s, and ${significant(limits.gbs, 3)} GB/s left of ${significant(limits.gflops / limits.gbs / 2, 3)} multiply-adds a byte.`,
    ...limits,
    range,
    points: working.map((op) => ({
      ...{ name: name(op), stage: op.stage, intensity: op.intensity, gflops: op.gflops, share: op.ms / total.ms },
      facts: [['shape', op.shape], ...factsOf(op)],
    })),
    readings: working.map((op, i) => [
      1,
      i,
      `${name(op)}: ${significant(op.intensity, 3)} multiply-adds a byte, ${significant(op.gflops, 3)} GFLOP/s`,
    ]),
  };
}

function timeline(cost: Cost): StudyChart & Record<string, unknown> {
  const { ops, typical, peakOp, peakBytes } = cost;
  const mib = (n: number) => n / 2 ** 20;
  const peak = ops[peakOp]!;
  return {
    ...{ type: 'timeline', id: 'memory', title: 'Live tensors over the step' },
    description: explainPeak(cost, bytes),
    ms: typical,
    peak: { at: peak.at, mib: mib(peakBytes), text: `${bytes(peakBytes)} in ${peak.layer}` },
    points: ops.map((op) => ({
      ...{ at: op.at, mib: mib(op.peak), name: `${op.kernel} · ${op.layer}` },
      facts: [
        ['tensors', bytes(op.live)],
        ['with workspace', bytes(op.peak)],
        ['phase', op.phase],
      ],
    })),
    readings: ops.map((op, i) => [0, i, `${op.kernel} of ${op.layer}: ${bytes(op.peak)}`]),
  };
}

/** The section on the cost of ops. */
export function costSection({ cost }: Study): StudySection | null {
  if (!cost) return null;
  const charts = [barChart(cost), roofline(cost), timeline(cost)] as const;
  const legend = [...new Set(cost.stages.map((s) => s.name))].map((name) => html`<span>${swatch(name)}${name}</span>`);
  const noise = explainInterference(cost);
  const body = html`${cards(cost)} ${noise && html`<p class="note warn"><b>Busy</b> ${noise}</p>`} ${reasons(cost)}
    <div class="grid two">
      ${plot(charts[0], html`<span>solid: the least its limits allow · faint: on top</span>`, 'whole')}
      ${plot(charts[1], legend)} ${plot(charts[2])}
    </div>
    ${sumTable(cost.stages, cost.total, 'Stages as a table')} ${sumTable(cost.blocks, cost.total, 'Blocks as a table')}
    ${opTable(cost)}
    <p class="muted note">
      Bytes are those of each op’s buffers, once each: the least that must move. An op above 100% of a memory limit
      found its data in a cache. Multiply-adds are those of FCs and convolutions, as the paper counts them.
    </p>`;
  return { id: 'cost', name: 'Cost', body, charts, scripts: ['study_cost.js'], styles: ['study.css'] };
}
