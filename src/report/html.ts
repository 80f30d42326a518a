import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it may stand between tags and in quoted attributes, in HTML and in SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}

/** A piece of a page: already escaped, unlike a string. */
export interface Html {
  readonly markup: string;
}

/** What may stand in a piece: text (escaped), pieces (as they are), lists of both; nothing for null, undefined and false. */
export type Content = string | number | Html | null | undefined | false | readonly Content[];

function render(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  return 'markup' in content ? content.markup : content.map(render).join('');
}

/** A piece from a template. Whatever is put into it is escaped unless it is a piece itself; attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return { markup: strings.map((text, i) => (i === 0 ? '' : render(values[i - 1])) + text).join('') };
}

/** Data for the page's script. No text in it can end the element, because no < is left. */
export function jsonScript(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return { markup: `<script type="application/json" id="${escapeHtml(id)}">${json}</script>` };
}

function asset(name: string): string {
  return readFileSync(path.join(__dirname, 'assets', name), 'utf8').replace(/\r\n?/g, '\n');
}

/** ECharts lies beside this file in the package, where the build has put it, and in node_modules in a checkout. */
function echarts(): string {
  const tried = [
    path.join(__dirname, 'echarts.min.js'),
    path.join(__dirname, '../../node_modules/echarts/dist/echarts.min.js'),
  ];
  for (const file of tried) {
    try {
      return readFileSync(file, 'utf8').replace(/\r\n?/g, '\n');
    } catch {
      continue;
    }
  }
  throw new Error(
    `the report's charts need echarts.min.js, which is in none of ${tried.join(', ')}: run npm run build:ts`,
  );
}

function inlineScript(code: string): Html {
  if (/<\/script|<!--/i.test(code)) throw new Error('a script to be put into a page holds "</script" or "<!--"');
  return { markup: `<script>${code}</script>` };
}

/**
 * A policy under which the page reaches no network and runs only its own scripts: even markup that slipped through the
 * escaping could neither run nor load anything.
 */
function policy(scripts: readonly string[]): string {
  const hashes = scripts.map((code) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`);
  return `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; base-uri 'none'; form-action 'none'`;
}

/** A page: one file without any reference to another. */
export interface Page {
  title: string;
  /** Anchors of the sections and their names, for the bar at the top. */
  sections: readonly { id: string; name: string }[];
  header: Html;
  body: Html;
  /** What the page's script draws: see `ChartSpec`. */
  charts: readonly unknown[];
  /** What the page's own scripts read: each stands as JSON in an element of the id `data-<name>`. */
  data?: Readonly<Record<string, unknown>>;
  /** Assets with scripts of its own. They run before report.js, and may put types of charts into `globalThis.chartTypes`. */
  scripts?: readonly string[];
  /** Assets with styles of its own. */
  styles?: readonly string[];
}

/** The whole document. */
export function renderPage(page: Page): string {
  const { title, sections, header, body, charts, data = {} } = page;
  const scripts = [echarts(), ...(page.scripts ?? []).map(asset), asset('report.js')];
  const styles = ['report.css', ...(page.styles ?? [])].map((name) => ({ markup: asset(name) }));
  const links = sections.map(({ id, name }) => html`<a href="#${id}">${name}</a>`);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy(scripts)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          ${styles}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top"><div class="wrap">${header}</div></header>
        <nav class="bar" aria-label="Sections"><div class="wrap">${links}</div></nav>
        <main id="main" class="wrap">${body}</main>
        <div id="live" class="hidden" aria-live="polite"></div>
        ${jsonScript('charts', charts)}
        ${Object.entries(data).map(([name, value]) => jsonScript(`data-${name}`, value))} ${scripts.map(inlineScript)}
      </body>
    </html> `.markup;
}
