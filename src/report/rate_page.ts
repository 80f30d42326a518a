/** The page of a learning rate range test (`morphmlp train --find-lr`). */
import { thin, type CurveChart, type Point } from './charts';
import { html, renderPage } from './html';
import { card, wrapSection } from './parts';
import { figure } from './sections';

/** Losses by learning rate, their average, and the rate that follows. */
export interface RatePage {
  /** The model and its data, in a line. */
  about: string;
  losses: readonly Point[];
  smoothed: readonly Point[];
  rate: number;
}

const text = (rate: number): string => rate.toExponential(1);

/** Renders the page. */
export function renderRatePage({ about, losses, smoothed, rate }: RatePage): string {
  const [first, last] = [losses[0]![0], losses.at(-1)![0]];
  const at = smoothed.reduce((best, one) =>
    Math.abs(Math.log(one[0] / rate)) < Math.abs(Math.log(best[0] / rate)) ? one : best,
  );
  const chart: CurveChart = {
    type: 'curves',
    id: 'rates',
    title: 'Loss by learning rate',
    description: `The loss of each step, while the learning rate grows from ${text(first)} to ${text(last)}.`,
    kind: 'loss',
    xName: 'learning rate',
    perEpoch: null,
    curves: [{ name: 'loss', color: '--train', points: thin(smoothed), raw: [...losses] }],
    mark: { x: at[0], y: at[1] ?? 0, text: `train with ${text(rate)}`, color: '--train' },
  };
  const cards = html`<dl class="cards">
    ${card('Learning rate', text(rate), 'a tenth of the rate with the lowest average loss', true)}
    ${card('Steps', String(losses.length), `from ${text(first)} to ${text(last)}`)}
  </dl>`;
  const body = html`${wrapSection({ id: 'test', name: 'Range test', body: html`${cards}${figure(chart)}` })}`;
  const header = html`<h1>Learning rate</h1>
    <p>${about}</p>`;
  return renderPage({
    title: 'Learning rate',
    sections: [{ id: 'test', name: 'Range test' }],
    header,
    body,
    charts: [chart],
  });
}
