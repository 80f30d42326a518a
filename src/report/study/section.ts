import type { Html } from '../html';

/** A part of the study's page. */
export interface StudySection {
  id: string;
  name: string;
  body: Html;
  /** Drawn by report.js: `curves`, or a type that one of the section's scripts has put into `globalThis.chartTypes`. */
  charts?: readonly unknown[];
  /** What the section's scripts read: it stands in the page as JSON, in the element `data-<id>`. */
  data?: unknown;
  /** Files of report/assets that the section needs. */
  scripts?: readonly string[];
  styles?: readonly string[];
}

/** A chart that one of the page's own scripts draws. */
export interface StudyChart {
  type: string;
  id: string;
  title: string;
  /** What it shows in a sentence, for those who do not see it. */
  description: string;
}
