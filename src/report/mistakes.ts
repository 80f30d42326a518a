import { percent } from '../terminal/format';
import { contactStrip } from './contact_sheet';
import { html, type Html } from './html';
import { withDrawing } from './segment_pictures';
import type { Section } from './sections';
import type { ReportEvaluation, ReportMistake, ReportStrip } from './types';

const STRIP = { frames: 16, columns: 8, tile: 64 } as const;

async function stripOf({ clip, strip }: ReportMistake): Promise<ReportStrip> {
  if (strip) return strip;
  const { png, width, height } = await contactStrip(clip, STRIP);
  return { png: png.toString('base64'), width, height };
}

/** An evaluation whose mistakes and samples have their pictures in place of their pixels, so that it can be stored as JSON. */
export async function withStrips<T extends ReportEvaluation>(evaluation: T): Promise<T> {
  const drawn = evaluation.mistakes.map(async (mistake) => ({
    ...mistake,
    clip: { ...mistake.clip, pixels: new Uint8Array(0), seen: undefined },
    strip: await stripOf(mistake),
  }));
  const samples = evaluation.samples && { samples: await Promise.all(evaluation.samples.map(withDrawing)) };
  return { ...evaluation, mistakes: await Promise.all(drawn), ...samples };
}

async function mistakeCard(mistake: ReportMistake, names: readonly string[]): Promise<Html> {
  const { clip, predicted, probability } = mistake;
  const { png, width, height } = await stripOf(mistake);
  const shown = Math.min(clip.frames, STRIP.frames);
  const source = `data:image/png;base64,${png}`;
  return html`<figure class="panel mistake">
    <img src="${source}" width="${width}" height="${height}" alt="${shown} frames of ${clip.path}" />
    <figcaption>
      <dl>
        <dt>is</dt>
        <dd class="tag right">${names[clip.label]}</dd>
        <dt>taken for</dt>
        <dd class="tag wrong">${names[predicted]}, ${percent(probability)}</dd>
      </dl>
      <p class="path muted" title="${clip.path}">${clip.path}</p>
    </figcaption>
  </figure>`;
}

/**
 * Misclassified clips, most confident first.
 * @param of names the checkpoint
 */
export async function mistakes(
  evaluation: ReportEvaluation,
  classNames: readonly string[],
  of: string,
): Promise<Section> {
  const wrong = evaluation.confusion.reduce(
    (n, row, truth) => n + row.reduce((m, k, i) => (i === truth ? m : m + k), 0),
    0,
  );
  const cards = await Promise.all(evaluation.mistakes.map((mistake) => mistakeCard(mistake, classNames)));
  const shown = cards.length < wrong ? `The surest ${cards.length} of ${wrong}` : `All ${wrong}`;
  const intro =
    wrong === 0
      ? `All ${evaluation.clips} clips were classified correctly.`
      : `${shown} wrong answers among ${evaluation.clips} clips.`;
  const body = html`<p class="muted">${[intro, of].filter(Boolean).join(' ')}</p>
    <div class="grid three">${cards}</div>`;
  return { id: 'mistakes', name: 'Mistakes', body };
}
