import { html, type Content, type Html } from '../html';

/** A section of the study's page. */
export interface StudySection {
  id: string;
  name: string;
  body: Html;
  /** Charts drawn by report.js: `curves`, or a type that one of the section's scripts added to `globalThis.chartTypes`. */
  charts?: readonly unknown[];
  /** Data for the section's scripts, embedded as JSON in the element `data-<id>`. */
  data?: unknown;
  /** Modules of the library required by its scripts. */
  modules?: readonly string[];
  /** Files of report/assets required by the section. */
  scripts?: readonly string[];
  styles?: readonly string[];
}

/** A chart drawn by one of the page's own scripts. */
export interface StudyChart {
  type: string;
  id: string;
  title: string;
  /** A one-sentence description for screen readers. */
  description: string;
}

/** The element of a chart, with `beside` next to its title. */
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
