import { html, type Html } from '../html';

/** The meanings of terms. Those of a page's text show theirs on hover and on focus. */
export const GLOSSARY = {
  token: 'One position of the grid at one time step: a vector of C numbers, its channels.',
  channel: 'One of the C numbers of a token.',
  FC: 'Fully connected layer: every output is a weighted sum of all inputs, plus a bias. A matrix product.',
  chunk:
    'L tokens that follow each other when a frame is read row by row (width) or column by column (height). One FC mixes them.',
  'chunk length': 'L, the number of tokens in a chunk. The larger it is, the farther one FC reaches in a frame.',
  group: 'S = C / L neighbouring channels. One FC takes the same group of all L tokens: L · S = C numbers.',
  branch: 'One of the parallel FCs of a MorphFC: height, width or channel. Their outputs are weighted and summed.',
  'branch weights':
    'For every channel, numbers that add up to 1 over the branches: a softmax of two FCs on the mean over all tokens of the clip.',
  MorphFC: 'A layer that reshapes tokens so that an ordinary FC mixes positions: chunks in space, time steps in time.',
  LayerNorm:
    'Shifts and scales each token to mean 0 and variance 1 over its channels, then by two learned numbers a channel.',
  residual: 'The input of a part is added to its output, so that the part learns a change.',
  GELU: 'The nonlinearity x · Φ(x), with Φ the normal distribution function. Without it, stacked FCs would be one FC.',
  stage: 'A run of blocks on one grid. Between stages a convolution halves height and width.',
  'multiply-add': 'One product added to a sum. Papers call a billion of them a GFLOP, this page a GMAC.',
  'receptive field': 'The pixels on which a token can depend.',
  padding: 'Zeros that fill the last chunk of a frame where L does not divide its tokens. Their outputs are dropped.',
  view: 'One clip or crop of a video. Published accuracies average the predictions of several.',
} as const;

/** A word of the glossary. */
export type Term = keyof typeof GLOSSARY;

/** A word with its meaning on hover and focus. @param text the word as it stands in the sentence, if it differs */
export function term(name: Term, text: string = name): Html {
  const id = `term-${name.replace(/\W/g, '-')}`;
  return html`<dfn class="term" tabindex="0" aria-describedby="${id}" data-meaning="${GLOSSARY[name]}">${text}</dfn>`;
}

/** The whole glossary, collapsed. */
export function glossary(): Html {
  const entries = Object.entries(GLOSSARY).map(
    ([name, meaning]) =>
      html`<dt>${name}</dt>
        <dd id="term-${name.replace(/\W/g, '-')}">${meaning}</dd>`,
  );
  return html`<details class="panel">
    <summary>Glossary</summary>
    <dl class="reasons">${entries}</dl>
  </details>`;
}
