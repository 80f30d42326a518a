import { html, type Content, type Html } from '../html';
import type { StudyChart } from './section';

/** A chart's place in the page, with what stands beside its title. */
export function plot({ id, type, title, description }: StudyChart, beside: Content = null, className = ''): Html {
  return html`<figure class="panel ${className}">
    <figcaption>
      <h3 id="${id}-title">${title}</h3>
      <span class="legend">${beside}</span>
    </figcaption>
    <div
      class="plot ${type}"
      id="chart-${id}"
      role="img"
      tabindex="0"
      aria-labelledby="${id}-title"
      aria-describedby="${id}-text"
    ></div>
    <p class="hidden" id="${id}-text">${description} Use the arrow keys to read values.</p>
  </figure>`;
}
