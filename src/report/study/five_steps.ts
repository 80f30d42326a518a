import type { MorphMlpConfig } from '../../models/config';
import { html, type Html } from '../html';
import { term } from './glossary';
import { formula } from './mathml';

/** A way in which a block mixes numbers. The formulas are those of src/study/chunks.ts and the model's code. */
interface Way {
  name: string;
  text: string;
  formulas: readonly string[];
}

const CHUNK_ROW = ['v_[l·S+s] = x_[j·L+l, g·S+s]', "v' = W · v + b"];

const WAYS: Readonly<Record<string, Way>> = {
  width: { name: 'width', text: 'width', formulas: ['n = h·W + w', 'j = ⌊n / L⌋ , l = n − j·L', ...CHUNK_ROW] },
  height: { name: 'height', text: 'height', formulas: ['n = w·H + h', 'j = ⌊n / L⌋ , l = n − j·L', ...CHUNK_ROW] },
  strided: {
    ...{ name: 'strided', text: 'stage 4, named height in the code' },
    formulas: [
      'n = h·W + w',
      'J = H·W / L',
      'l = ⌊n / J⌋ , j = n − l·J',
      'v_[l·S+s] = x_[l·J+j, g·S+s]',
      "v' = W · v + b",
    ],
  },
  channel: { name: 'channel', text: 'channel', formulas: ['n = h·W + w', 'v = x_[n]', "v' = W · v + b"] },
  time: {
    ...{ name: 'time', text: 'time (MorphFC_t)' },
    formulas: ['v_[t·S+s] = x_[t, n, g·S+s]', "v' = W · v + b", 'S = C / G'],
  },
};

const WHOLE = [
  'a = mean_[t,h,w] ( y^[height] + y^[width] + y^[channel] )',
  'p = softmax ( W_[2] · GELU ( W_[1] · a ) )',
  'MorphFC_[s] ( x ) = W_[p] · ( p_[1] ⊙ y^[height] + p_[2] ⊙ y^[width] + p_[3] ⊙ y^[channel] )',
  'z = x + MorphFC_[t] ( LN ( x ) )',
  'u = x + MorphFC_[s] ( LN ( z ) )',
  'block ( x ) = u + MLP ( LN ( u ) )',
];

const waysOf = ({ kind }: MorphMlpConfig): Way[] =>
  Object.values(WAYS).filter(({ name }) => kind === 'video' || name !== 'time');

function controls(config: MorphMlpConfig): Html {
  const stages = [1, 2, 3, 4].map((stage) => html`<option value="${stage}">stage ${stage}</option>`);
  const ways = waysOf(config).map(({ name, text }) => html`<option value="${name}">${text}</option>`);
  return html`<div class="controls">
    <label
      >Stage
      <select data-steps="stage">
        ${stages}
      </select></label
    >
    <label
      >mixed along
      <select data-steps="way">
        ${ways}
      </select></label
    >
    <label>token <input type="number" min="0" value="17" data-steps="token" /></label>
    <label>group <input type="number" min="0" value="0" data-steps="group" /></label>
    <span class="buttons">
      <button type="button" data-steps="back">← Back</button>
      <button type="button" data-steps="next">Next →</button>
      <button type="button" data-steps="play" aria-pressed="false">Play</button>
    </span>
  </div>`;
}

/** MorphFC in five steps on token numbers that the reader chooses. */
export function fiveSteps(config: MorphMlpConfig): Html {
  const names = ['Flatten', 'Chunk', 'Group', 'FC', 'Back'];
  const lists = waysOf(config).map(
    ({ name, formulas }) =>
      html`<div class="formulas" data-formulas="${name}" tabindex="0" role="region" aria-label="Formulas of ${name}">
        ${formulas.map(formula)}
      </div>`,
  );
  return html`<div class="panel" id="steps-view">
    <h3>MorphFC in five steps</h3>
    <p class="lead">
      An ${term('FC')} mixes the numbers of one row. ${term('MorphFC')} builds rows from several tokens: a
      ${term('chunk')} of ${term('chunk length', 'L')} tokens, a ${term('group')} of channels each. Choose a
      ${term('token')} and follow it. All numbers count from 0.
    </p>
    ${controls(config)}
    <ol class="step-names">
      ${names.map((name, i) => html`<li><button type="button" data-step="${i}">${i + 1}. ${name}</button></li>`)}
    </ol>
    <div
      class="stage-view"
      data-steps="view"
      tabindex="0"
      role="application"
      aria-label="MorphFC in five steps. Left and right arrow keys change the step, up and down the token."
    ></div>
    <p class="reading" data-steps="reading" aria-live="polite"></p>
    <p data-steps="answer"></p>
    <p class="hint">
      Focus the drawing: <kbd>←</kbd> <kbd>→</kbd> change the step, <kbd>↑</kbd> <kbd>↓</kbd> the token,
      <kbd>Space</kbd>
      plays.
    </p>
    ${lists}
    <details class="ops">
      <summary>The whole block as formulas</summary>
      <div class="formulas" tabindex="0" role="region" aria-label="Formulas of a block">${WHOLE.map(formula)}</div>
      <p class="muted">
        LN is ${term('LayerNorm')}; ⊙ multiplies channel by channel. p are the ${term('branch weights')}. Stage 4 has
        the strided ${term('branch')} and the channel branch alone, pictures have no z. The second ${term('residual')}
        starts at x, not at z.
      </p>
    </details>
  </div>`;
}
