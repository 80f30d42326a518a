import { existsSync } from 'node:fs';
import path from 'node:path';
import { escapeHtml, html, jsonScript, renderPage } from '../../src/report/html';

const HOSTILE = `</script><img src=x onerror="alert(1)">'&`;

test('escapes every markup character', () => {
  expect(escapeHtml(HOSTILE)).toBe('&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;');
});

test('a template escapes text and keeps fragments', () => {
  const inner = html`<b title="${HOSTILE}">${'<i>'}</b>`;
  expect(inner.markup).toBe(`<b title="${escapeHtml(HOSTILE)}">&lt;i&gt;</b>`);
  expect(html`<p>${[inner, 1, null, undefined, false, ['<', html`<hr />`]]}</p>`.markup).toBe(
    `<p>${inner.markup}1&lt;<hr /></p>`,
  );
  expect(html`${0}`.markup).toBe('0');
});

test('embedded data cannot end its element and round-trips', () => {
  const data = [HOSTILE, '<!-- <script>', '\u2028', { n: NaN }];
  const { markup } = jsonScript('x', data);
  const body = /^<script type="application\/json" id="x">(.*)<\/script>$/s.exec(markup)?.[1] as string;
  expect(body).not.toMatch(/[<\u2028]/);
  expect(JSON.parse(body)).toEqual([HOSTILE, '<!-- <script>', '\u2028', { n: null }]);
});

test('a page is self-contained and allows only its own scripts', () => {
  const page = renderPage({
    title: HOSTILE,
    sections: [{ id: 'a', name: HOSTILE }],
    header: html`<h1>t</h1>`,
    body: html`<p>b</p>`,
    charts: [],
  });
  expect(page.startsWith('<!doctype html>')).toBe(true);
  expect(page).not.toContain(HOSTILE);
  expect(page).toMatch(/default-src (&#39;|')none\1; img-src data:/);
  expect(page.match(/sha256-/g)).toHaveLength(2);
  expect(page.replace(/<script>.*?<\/script>/gs, '')).not.toMatch(/(src|href)="(?!#)/);
  expect(page.match(/<script/g)).toHaveLength(3);
});

test('the built package renders the same page from its own files', () => {
  const dist = path.join(__dirname, '../../dist/report');
  for (const name of ['echarts.min.js', 'echarts.LICENSE', 'echarts.NOTICE'])
    expect(existsSync(path.join(dist, name))).toBe(true);
  const built = jest.requireActual<{ renderPage: typeof renderPage }>(path.join(dist, 'html.js'));
  const page = { title: 't', sections: [], header: html``, body: html`<p>b</p>`, charts: [1] };
  expect(built.renderPage(page) === renderPage(page)).toBe(true);
});
