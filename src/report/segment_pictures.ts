/** Pictures of a segmentation: picture, truth, prediction and errors side by side. */
import sharp from 'sharp';
import { classColours, encodeMask } from '../data/masks/png';
import { IGNORED } from '../data/types';
import { percent } from '../terminal/format';
import { html, type Html } from './html';
import type { Section } from './sections';
import type { DrawnSample, ReportEvaluation, ReportSample } from './types';

type Colour = readonly [number, number, number];

/** Colours of pixels that are right, wrong or without a label. */
const RIGHT: Colour = [45, 52, 62];
const WRONG: Colour = [255, 90, 70];
const UNLABELLED: Colour = [236, 236, 236];
const JPEG_QUALITY = 80;

/** Whether each pixel is right (0), wrong (1) or has no label (2). */
const judged = (truth: Uint8Array, predicted: Uint8Array): Uint8Array =>
  truth.map((label, i) => (label === IGNORED ? 2 : Number(label !== predicted[i])));

/** Draws a sample. @throws if its bytes are not those of its size */
export async function drawSample(sample: ReportSample): Promise<DrawnSample> {
  if (sample.drawn) return sample.drawn;
  const { pixels, truth, predicted, height, width, path } = sample;
  const area = height * width;
  if (pixels.length !== 3 * area || truth.length !== area || predicted.length !== area)
    throw new Error(
      `report: ${path}: expected ${height} x ${width} pixels and two masks, got ${pixels.length}, ${truth.length} and ${predicted.length} bytes`,
    );
  const colours: Colour[] = classColours(IGNORED);
  colours[IGNORED] = UNLABELLED;
  const png = (values: Uint8Array, of: readonly Colour[]): string =>
    encodeMask({ pixels: values, height, width }, of).toString('base64');
  const raw = { width, height, channels: 3 } as const;
  const picture = await sharp(pixels, { raw }).jpeg({ quality: JPEG_QUALITY }).toBuffer();
  const classes = [...new Set([...truth, ...predicted])].filter((c) => c !== IGNORED).sort((a, b) => a - b);
  return {
    ...{ picture: picture.toString('base64'), truth: png(truth, colours), predicted: png(predicted, colours) },
    ...{ errors: png(judged(truth, predicted), [RIGHT, WRONG, UNLABELLED]), classes },
  };
}

/** A sample with its drawing in place of its bytes. */
export async function withDrawing(sample: ReportSample): Promise<ReportSample> {
  const none = new Uint8Array(0);
  return { ...sample, pixels: none, truth: none, predicted: none, drawn: await drawSample(sample) };
}

function sampleCard(sample: ReportSample, drawn: DrawnSample): Html {
  const { path, right, width, height, worst } = sample;
  const view = (name: string, data: string, kind = 'png') =>
    html`<div>
      <img src="data:image/${kind};base64,${data}" width="${width}" height="${height}" alt="${name} of ${path}" />
      <span>${name}</span>
    </div>`;
  return html`<figure class="panel segmented">
    <figcaption>
      <span class="path muted">${path}</span>
      <span class="${worst ? 'tag wrong' : 'tag'}">${percent(right)} of its pixels right</span>
    </figcaption>
    <div class="views">
      ${view('picture', drawn.picture, 'jpeg')}${view('truth', drawn.truth)}${view('prediction', drawn.predicted)}
      ${view('errors', drawn.errors)}
    </div>
  </figure>`;
}

const swatch = (colour: Colour, name: string): Html =>
  html`<li><i class="swatch" style="background:rgb(${colour.join(',')})"></i>${name}</li>`;

/**
 * The section of pictures with their legend; none without pictures.
 * @param of names the checkpoint
 * @throws if a mask has a class beyond the names
 */
export async function segmentPictures(
  { samples = [] }: ReportEvaluation,
  names: readonly string[],
  of: string,
): Promise<Section[]> {
  if (samples.length === 0) return [];
  const drawn = await Promise.all(samples.map(drawSample));
  const shown = [...new Set(drawn.flatMap(({ classes }) => classes))].sort((a, b) => a - b);
  const beyond = shown.find((c) => c >= names.length);
  if (beyond !== undefined) throw new Error(`report: class ${beyond} of a mask is beyond the ${names.length} classes`);
  const colours = classColours(names.length);
  const worst = samples.filter((sample) => sample.worst).length;
  const others = samples.length > worst ? `, then ${samples.length - worst} spread over the data` : '';
  const body = html`<p class="muted">The ${worst} with the fewest right pixels${others}. ${of}</p>
    <ul class="colours">
      ${shown.map((c) => swatch(colours[c]!, names[c]!))}
      ${swatch(UNLABELLED, 'unlabelled')}${swatch(RIGHT, 'right')}${swatch(WRONG, 'wrong')}
    </ul>
    ${samples.map((sample, i) => sampleCard(sample, drawn[i]!))}`;
  return [{ id: 'pictures', name: 'Pictures', body }];
}
