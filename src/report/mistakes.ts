import { percent } from '../terminal/format';
import { contactStrip } from './contact_sheet';
import { html, type Html } from './html';
import { checkpointText, type Section } from './sections';
import type { ReportMistake, RunReport } from './types';

const STRIP = { frames: 16, columns: 8, tile: 64 } as const;

async function mistakeCard({ clip, predicted, probability }: ReportMistake, names: readonly string[]): Promise<Html> {
  const { png, width, height } = await contactStrip(clip, STRIP);
  const shown = Math.min(clip.frames, STRIP.frames);
  const source = `data:image/png;base64,${png.toString('base64')}`;
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

/** Misclassified clips, most confident first; null if there is nothing to show. */
export async function mistakes(report: RunReport): Promise<Section | null> {
  const { evaluation, classNames } = report;
  if (!evaluation) return null;
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
  const body = html`<p class="muted">${[intro, checkpointText(report)].filter(Boolean).join(' ')}</p>
    <div class="grid three">${cards}</div>`;
  return { id: 'mistakes', name: 'Mistakes', body };
}
