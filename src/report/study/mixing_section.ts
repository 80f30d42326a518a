import sharp from 'sharp';
import { percent } from '../../terminal/format';
import type { Clip } from '../../data/types';
import { explainField } from '../../study/explain';
import { middleOf, type Growth, type Mixing } from '../../study/mixing';
import type { Study } from '../../study/types';
import { html, type Html } from '../html';
import { plot, type StudyChart, type StudySection } from './section';

const FRAME_SIDE = 112;

/** Renders the frames of a clip as small pictures: data URLs in order. */
async function frameImages({ pixels, frames, height, width }: Clip): Promise<string[]> {
  const [size, raw] = [height * width * 3, { width, height, channels: 3 } as const];
  const kernel = height < FRAME_SIDE ? 'nearest' : 'lanczos3';
  const all = Array.from({ length: frames }, async (_, i) => {
    const frame = sharp(pixels.subarray(i * size, (i + 1) * size), { raw });
    const picture = await frame
      .resize(FRAME_SIDE, FRAME_SIDE, { fit: 'fill', kernel })
      .webp({ quality: 80 })
      .toBuffer();
    return `data:image/webp;base64,${picture.toString('base64')}`;
  });
  return Promise.all(all);
}

const CURVES = [
  { key: 'all', name: 'all branches and time', color: '--train' },
  { key: 'space', name: 'all branches, one time step', color: '--rate' },
  { key: 'width', name: 'width branch alone', color: '--val' },
  { key: 'height', name: 'height branch alone', color: '--val2', dashed: true },
  { key: 'convolutions', name: 'convolutions alone', color: '--muted', dashed: true },
] as const;

/** Omits curves that coincide with others: an image model has no time, stage 4 no separate branches. */
function curvesOf(growth: readonly Growth[]) {
  const same = growth.every((g) => g.all === g.space);
  return CURVES.filter(({ key }) => !(same && key === 'space')).map(({ key, ...curve }) => ({
    ...curve,
    name: same && key === 'all' ? 'all branches' : curve.name,
    shares: growth.map((g) => g[key]),
  }));
}

function growthChart({ levels, growth }: Mixing): StudyChart & Record<string, unknown> {
  const names = growth.map(({ level }) => levels[level]!.name);
  const curves = curvesOf(growth);
  const full = growth.find((g) => g.all === 1);
  const reach = full ? `From ${levels[full.level]!.name} on it is all of them.` : '';
  const reading = (i: number) => curves.map((c) => `${c.name} ${percent(c.shares[i]!)}`).join(', ');
  return {
    ...{ type: 'growth', id: 'growth', title: 'Share of the clip’s pixels that the middle token can depend on' },
    description: `It grows from ${percent(growth[0]!.all)} to ${percent(growth.at(-1)!.all)}. ${reach}`,
    levels: names,
    curves,
    readings: names.map((name, i) => [0, i, `${name}: ${reading(i)}`]),
  };
}

function levelOptions({ levels }: Mixing): Html[] {
  const chosen = levels.findIndex(({ block }) => block !== null);
  return levels.slice(1).map(({ name, size }, i) => {
    const selected = { markup: i + 1 === chosen ? 'selected' : '' };
    return html`<option value="${i + 1}" ${selected}>${name} (${size.join(' × ')})</option>`;
  });
}

const check = (name: string, text: string, checked: boolean): Html =>
  html`<label data-for="field"
    ><input type="checkbox" data-mixing="${name}" ${{ markup: checked ? 'checked' : '' }} />${text}</label
  >`;

function explorer(mixing: Mixing): Html {
  const video = mixing.levels.some(({ block }) => block?.temporal);
  return html`<div class="panel" id="mixing-view">
    <div class="controls">
      <label
        >A token of
        <select data-mixing="level">
          ${levelOptions(mixing)}
        </select></label
      >
      <label
        >show its
        <select data-mixing="show"></select
      ></label>
      <label data-for="field"
        >on
        <select data-mixing="on"></select
      ></label>
      <span data-for="field" class="controls-group">through</span>
      ${check('width', 'width', true)} ${check('height', 'height', true)} ${video && check('time', 'time', true)}
      ${check('weights', 'branch weights too', false)}
      <button type="button" data-mixing="next">Next measured token</button>
    </div>
    <div
      class="steps"
      data-mixing="grid"
      tabindex="0"
      role="application"
      aria-label="Token grid, time steps side by side. Arrow keys move the token, Page Up and Page Down its time step."
    ></div>
    <p class="reading" data-mixing="reading" aria-live="polite"></p>
    <p class="hint">
      Click or drag on a frame, or focus the frames and use <kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd>${
        video && html` and <kbd>Page Up</kbd> <kbd>Page Down</kbd> for time`
      }.
      Fields are exact for dense weights. Through the branch weights, which come from the mean over all tokens, every
      token depends weakly on the whole clip.
    </p>
  </div>`;
}

/** Describes the receptive field of the middle token at the end of each stage. */
function sights(mixing: Mixing): Html {
  const { levels, sensitivities } = mixing;
  const middle = sensitivities.filter(({ level, token }) => token === middleOf(levels[level]!.size));
  const rows = middle.map((s) => {
    const { name, stage } = levels[s.level]!;
    return html`<dt><i class="swatch stage-${stage}"></i>stage ${stage}</dt>
      <dd>The middle token of ${name} ${explainField(mixing, s)}</dd>`;
  });
  return html`<div class="panel">
    <h3>What each stage sees</h3>
    <dl class="reasons">${rows}</dl>
  </div>`;
}

/** The section on token mixing and receptive fields. */
export async function mixingSection({ mixing, model }: Study, clips: readonly Clip[]): Promise<StudySection | null> {
  if (!mixing) return null;
  const { levels, sensitivities, clip } = mixing;
  const frames = clips[0] ? await frameImages(clips[0]) : [];
  const chart = growthChart(mixing);
  const legend = curvesOf(mixing.growth).map(
    ({ name, color }) => html`<span><i class="swatch c${color}"></i>${name}</span>`,
  );
  const shown = [
    clip === null
      ? 'No clip was given: the grid is plain, and gradients are those of a clip of noise.'
      : `On the frames of ${clip}.`,
    ...(model.checkpoint === null && model.config.kind === 'video'
      ? ['The weights are random, and MorphFC_t starts as zero: gradients do not show its mixing yet.']
      : []),
  ].join(' ');
  const body = html`<p class="muted">${shown}</p>
    ${explorer(mixing)} ${sights(mixing)} ${plot(chart, legend)}`;
  return {
    ...{ id: 'mixing', name: 'Mixing', body, charts: [chart], data: { levels, sensitivities, frames, clip } },
    ...{ modules: ['study/chunks', 'study/receptive_field'], scripts: ['study_cost.js', 'study_mixing.js'] },
    styles: ['study.css'],
  };
}
