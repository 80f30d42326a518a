/** The network drawn from its configuration: shapes, ops with their lines of code, and MorphFC in five steps. */
import { countOps, type CountedOp } from '../../models/flops';
import { ablationWords } from '../../models/ablation';
import { levelsOf, type Level } from '../../study/receptive_field';
import type { Study } from '../../study/types';
import { amount, count, macs, percent, significant } from '../../terminal/format';
import { html, type Content, type Html } from '../html';
import { scrollTable } from '../parts';
import { lineWith, listingsOf, type Listing } from './code';
import { fiveSteps } from './five_steps';
import { glossary, term } from './glossary';
import type { StudySection } from './section';

/** The address of the paper, which a reader may follow; the page itself loads nothing. */
export const PAPER_URL = 'https://arxiv.org/abs/2111.12527';

/** What an op does, and the text by which its line of code is found, by the end of its name. */
interface Explained {
  what: string;
  listing: string;
  line: string;
}

const SPATIAL = 'spatial';
const EXPLAINED: Readonly<Record<string, Explained>> = {
  proj1: { what: 'convolution, BatchNorm, GELU', listing: 'stem', line: 'this.proj1' },
  proj2: { what: 'convolution, BatchNorm', listing: 'stem', line: 'this.proj2' },
  't_fc.mlp_t': { what: 'LayerNorm, then one FC over all time steps of a group', listing: 'temporal', line: 'mlp_t' },
  't_fc.proj': { what: 'FC over the channels; + x', listing: 'block', line: 'add(x, this.t_fc' },
  'fc.mlp_h': {
    what: 'height branch: FC over the chunks read column by column',
    listing: SPATIAL,
    line: 'mlp_h.weight',
  },
  'fc.mlp_w': { what: 'width branch: FC over the chunks read row by row', listing: SPATIAL, line: 'mlp_w.weight' },
  'fc.mlp_c': { what: 'channel branch: FC on each token', listing: SPATIAL, line: 'mlp_c.forward' },
  'fc.reweight.fc1': {
    what: 'weights of the branches from their mean, GELU',
    listing: 'reweight',
    line: 'fc1.forward',
  },
  'fc.reweight.fc2': { what: 'softmax over the branches for every channel', listing: 'reweight', line: 'softmax' },
  'fc.proj': { what: 'FC over the channels of the weighted sum; + x', listing: 'block', line: 'this.norm1.forward' },
  'mlp.fc1': { what: 'LayerNorm, FC to the hidden width, GELU', listing: 'mlp', line: 'this.fc1' },
  'mlp.fc2': { what: 'FC back; + x', listing: 'block', line: 'this.norm2.forward' },
  proj: { what: 'convolution with stride 2, LayerNorm', listing: 'downsample', line: 'this.proj' },
  head: { what: 'LayerNorm, mean over all tokens, FC', listing: 'head', line: 'this.head' },
  'fc.conv': { what: 'convolution in place of the branches', listing: SPATIAL, line: 'this.conv.forward' },
  'fc.conv_h': { what: 'group convolution over a column', listing: SPATIAL, line: 'conv.forward' },
  'fc.conv_w': { what: 'group convolution over a row', listing: SPATIAL, line: 'conv.forward' },
};

/** Stage 4 reads its chunks row by row in strides under the name of the height branch. */
const STRIDED = 'branch of stage 4: FC over every (HW / L)-th token, read row by row';

const partOf = (name: string): string => name.replace(/^blocks\d\.\d+\.|^patch_embed\d\./, '');
const shown = (shape: readonly number[]): string => `[B, ${shape.join(', ')}]`;

function opRow(op: CountedOp, listings: readonly Listing[], strided: boolean): Html {
  const part = partOf(op.name);
  const { what, listing, line } = EXPLAINED[part]!;
  const own = strided && listing === SPATIAL ? 'spatial4' : listing;
  const source =
    listings.find(({ id }) => id === `code-${own}`) ?? listings.find(({ id }) => id === `code-${listing}`)!;
  const code = lineWith(source, line) ?? source.name;
  return html`<tr>
    <th scope="row">${part}</th>
    <td class="text">${strided && part === 'fc.mlp_h' ? STRIDED : what}</td>
    <td>${op.rows} × ${op.in} → ${op.out}</td>
    <td>${count(op.params)}</td>
    <td>${macs(op.macs)}</td>
    <td class="text">
      <a href="#${source.id}"><code>${code}</code></a>
    </td>
  </tr>`;
}

const HEAD = ['Op', 'What it does', 'Rows × in → out', 'Parameters', 'Multiply-adds', 'Line of code'];

function opTable(label: string, ops: readonly CountedOp[], listings: readonly Listing[], stage: number): Html {
  const head = HEAD.map((name, i) => html`<th scope="col" class="${[1, 5].includes(i) && 'text'}">${name}</th>`);
  return scrollTable({ label, head, rows: ops.map((op) => opRow(op, listings, stage === 4)), tall: false });
}

/** A square as wide as the grid of tokens and as strong as its channels. */
function picture(size: Level['size'], channels: number, crop: number): Html {
  const side = Math.max(6, Math.round(56 * Math.sqrt(size[2] / crop)));
  const depth = Math.max(3, Math.round(2 * Math.log2(channels)));
  return html`<i class="grid-picture" aria-hidden="true" style="--side:${side}px;--depth:${depth}px"></i>`;
}

interface Step {
  id: string;
  name: string;
  stage: string;
  size: Level['size'];
  channels: number;
  note: Content;
  detail: Content;
}

function stepItem({ id, name, stage, size, channels, note, detail }: Step, crop: number): Html {
  return html`<li>
    ${picture(size, channels, crop)}
    <div>
      <b><i class="swatch ${stage}"></i>${name}</b> <span class="shape">${shown([...size, channels])}</span>
      <p class="muted">${note}</p>
      ${
        detail &&
        html`<details id="${id}" class="ops">
          <summary>Open the ops and their code</summary>
          ${detail}
        </details>`
      }
    </div>
  </li>`;
}

/** Measured times of a stage's blocks, if the cost was studied. */
function blockTimes({ cost }: Study, stage: number): Content {
  const own = cost?.blocks.filter(({ stage: at }) => at === `stage ${stage}`);
  if (!own?.length) return null;
  const chips = own.map(({ name, ms }) => html`<span class="chip">${name} <b>${significant(ms, 3)} ms</b></span>`);
  return html`<p class="chips">${chips}</p>`;
}

function stageStep(study: Study, stage: 1 | 2 | 3 | 4, levels: readonly Level[], ops: readonly CountedOp[]): Step {
  const { config, macs: all } = study.model;
  const [channels, blocks, chunk] = [config.embedDims, config.layers, config.segmentDim].map((of) => of[stage - 1]!);
  const own = ops.filter((op) => op.stage === stage);
  const { size } = levels.find((level) => level.stage === stage && level.block)!;
  const [work, params] = [own.reduce((sum, op) => sum + op.macs, 0), own.reduce((sum, op) => sum + op.params, 0)];
  const listings = listingsOf(config);
  const first = own.filter(({ name }) => name.startsWith(`blocks${stage}.0.`));
  const before = own.filter(({ name }) => name.startsWith('patch_embed'));
  const note = `${amount(blocks!, 'block')} of ${chunk}-token chunks, ${channels! / chunk!} channels a group; ${count(params)} parameters, ${percent(work / all)} of the multiply-adds.`;
  const detail = html`${
      before.length > 0 &&
      html`<p class="muted">Before the first block:</p>
        ${opTable(`Downsampling before stage ${stage}`, before, listings, 0)}`
    }
    <p class="muted">
      ${blocks === 1 ? `Block blocks${stage}.0` : `Each of the ${blocks} blocks blocks${stage}.0 to blocks${stage}.${blocks! - 1}`}
      computes:
    </p>
    ${opTable(`A block of stage ${stage}`, first, listings, stage)} ${blockTimes(study, stage)}`;
  return {
    id: `net-stage-${stage}`,
    name: `stage ${stage}`,
    stage: `stage-${stage}`,
    size,
    channels: channels!,
    note,
    detail,
  };
}

function steps(study: Study): Step[] {
  const { config, crop } = study.model;
  const { ops } = countOps(config, { height: crop, width: crop });
  const levels = levelsOf(config, crop);
  const listings = listingsOf(config);
  const [input, last] = [levels[0]!, levels.at(-1)!];
  const stem = ops.filter((op) => op.stage === 0);
  const stemStep: Step = {
    ...{ id: 'net-stem', name: 'stem', stage: 'stage-stem', size: levels[1]!.size, channels: config.embedDims[0] },
    note: 'Two convolutions cut the pixels into tokens: a quarter of the height and width, half of the frames of a video.',
    detail: opTable('The stem', stem, listings, 0),
  };
  const headStep: Step = {
    ...{ id: 'net-head', name: 'head', stage: 'stage-head', size: [1, 1, 1], channels: config.numClasses },
    note: html`The mean over ${last.size.reduce((a, b) => a * b, 1)} tokens, then one FC to
    ${amount(config.numClasses, 'class', 'classes')}.`,
    detail: opTable(
      'The head',
      ops.filter((op) => op.stage === 5),
      listings,
      0,
    ),
  };
  return [
    {
      id: 'net-input',
      name: 'pixels',
      stage: '',
      size: input.size,
      channels: 3,
      note: 'red, green and blue',
      detail: null,
    },
    stemStep,
    ...([1, 2, 3, 4] as const).map((stage) => stageStep(study, stage, levels, ops)),
    headStep,
  ];
}

function lead(study: Study): Html {
  const { config, crop, parameters, macs: work } = study.model;
  const levels = levelsOf(config, crop);
  const [, first] = levels;
  const tokens = first!.size.reduce((a, b) => a * b, 1);
  const clip = config.kind === 'video' ? `A clip of ${config.frames} frames` : 'A picture';
  return html`<p class="lead">
    ${clip} of ${crop} × ${crop} pixels becomes ${tokens} ${term('token', 'tokens')} of ${config.embedDims[0]}
    ${term('channel', 'channels')}. Four ${term('stage', 'stages')} mix them with
    ${term('FC', 'fully connected layers')} alone: no attention, and convolutions only where the grid shrinks. That
    takes ${count(parameters)} parameters and ${macs(work)} of ${term('multiply-add', 'multiply-adds')} for one
    ${term('view')}.
  </p>`;
}

function listingPanel({ id, name, file, section, code }: Listing): Html {
  return html`<details class="listing">
    <summary>${name}</summary>
    <p class="muted">${file} · <a href="${PAPER_URL}" rel="noreferrer">paper</a>, ${section}</p>
    <pre id="${id}" tabindex="0" aria-label="Code of ${name}"><code>${code}</code></pre>
  </details>`;
}

/** The section that draws and explains the network. Needs no measurement. */
export function networkSection(study: Study): StudySection {
  const { config, crop } = study.model;
  const switches = ablationWords(config);
  const body = html`${lead(study)}
    ${switches.length > 0 && html`<p class="note warn"><b>Changed</b> This network has ${switches.join(', ')}.</p>`}
    <div class="panel">
      <h3>The network, with the shapes of its tensors</h3>
      <p class="muted">[clips, time steps, height, width, channels] after each part. B is the number of clips.</p>
      <ol class="network">
        ${steps(study).map((step) => stepItem(step, crop))}
      </ol>
    </div>
    ${fiveSteps(config)}
    <div class="panel">
      <h3>The code, as it runs</h3>
      <p class="muted">
        Compiled from the files named. Where no ablation and no plugin is used, one fused kernel computes the LayerNorm,
        the FCs and the residual of a part together; the lines above are what it computes.
      </p>
      ${listingsOf(config).map(listingPanel)}
    </div>
    ${glossary()}`;
  return {
    ...{ id: 'network', name: 'Network', body },
    data: { config, crop },
    modules: ['study/chunks', 'study/receptive_field', 'models/config', 'models/ablation'],
    ...{ scripts: ['study_steps.js'], styles: ['study.css', 'study_network.css'] },
  };
}
