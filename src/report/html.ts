import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pageModules } from './page_modules';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escapes text for element content and quoted attributes, in HTML and SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}

/** A fragment of a page: already escaped, unlike a string. */
export interface Html {
  readonly markup: string;
}

/** Content of a template: text (escaped), fragments (verbatim) and lists of both; null, undefined and false render nothing. */
export type Content = string | number | Html | null | undefined | false | readonly Content[];

function render(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  return 'markup' in content ? content.markup : content.map(render).join('');
}

/** Creates a fragment from a template. Values are escaped unless they are fragments; attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return { markup: strings.map((text, i) => (i === 0 ? '' : render(values[i - 1])) + text).join('') };
}

/** Embeds data for the page's script. Every < is escaped, so that no text can end the element. */
export function jsonScript(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return { markup: `<script type="application/json" id="${escapeHtml(id)}">${json}</script>` };
}

/** Text of a file of assets/. */
export function asset(name: string): string {
  return readFileSync(path.join(__dirname, 'assets', name), 'utf8').replace(/\r\n?/g, '\n');
}

/** Finds ECharts: the build copies it next to this file; in a checkout it is in node_modules. */
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
  if (/<\/script|<!--/i.test(code)) throw new Error('an embedded script must not contain "</script" or "<!--"');
  return { markup: `<script>${code}</script>` };
}

/**
 * The content security policy: the page cannot access the network and runs only its own scripts, so that even markup that escaped the
 * escaping could neither run nor load anything.
 */
function policy(scripts: readonly string[]): string {
  const hashes = scripts.map((code) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`);
  return `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; base-uri 'none'; form-action 'none'`;
}

/** A self-contained page. */
export interface Page {
  title: string;
  /** Anchors and names of the sections, for the bar at the top. */
  sections: readonly { id: string; name: string }[];
  header: Html;
  body: Html;
  /** Charts drawn by the page's script; see `ChartSpec`. */
  charts: readonly unknown[];
  /** Data for the page's own scripts, embedded as JSON in the elements `data-<name>`. */
  data?: Readonly<Record<string, unknown>>;
  /** Modules of the library that the page's scripts use by `library(id)`; see `pageModules`. */
  modules?: readonly string[];
  /** Script assets of the page. They run before report.js and may add chart types to `globalThis.chartTypes`. */
  scripts?: readonly string[];
  /** Style assets of the page. */
  styles?: readonly string[];
  /** Seconds after which the page loads itself again, for a file that is still rewritten. Default: never. */
  reloadAfter?: number;
}

/** Renders the whole document. */
export function renderPage(page: Page): string {
  const { title, sections, header, body, charts, data = {} } = page;
  const modules = page.modules?.length ? [pageModules(page.modules)] : [];
  const scripts = [echarts(), ...modules, ...(page.scripts ?? []).map(asset), asset('report.js')];
  const styles = ['report.css', ...(page.styles ?? [])].map((name) => ({ markup: asset(name) }));
  const reload = page.reloadAfter === undefined ? null : html`data-reload-after="${page.reloadAfter}"`;
  const links = sections.map(({ id, name }) => html`<a href="#${id}">${name}</a>`);
  return html`<!doctype html>
    <html lang="en" ${reload}>
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
