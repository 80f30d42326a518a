/** Pieces that pages share. */
import { html, type Content, type Html } from './html';

/** A figure on a card. */
export function card(name: string, value: string, note: string, main = false): Html {
  return html`<div class="card${main ? ' main' : ''}">
    <dt>${name}</dt>
    <dd>${value}<small>${note}</small></dd>
  </div>`;
}

/** What a page is about, in lines of name and text. */
export function identityList(facts: Readonly<Record<string, string>>): Html {
  return html`<dl class="identity">
    ${Object.entries(facts).map(
      ([name, text]) =>
        html`<dt>${name}</dt>
          <dd>${text}</dd>`,
    )}
  </dl>`;
}

/** A section with its heading. */
export function wrapSection({ id, name, body }: { id: string; name: string; body: Html }): Html {
  return html`<section id="${id}" aria-labelledby="${id}-name">
    <h2 id="${id}-name">${name}</h2>
    ${body}
  </section>`;
}

/** What a table is made of. */
interface TableParts {
  /** What it is called to those who cannot see it. */
  label: string;
  head: Content;
  rows: Content;
  style?: 'figures' | 'facts' | 'matrix';
  /** By clicks on its headings; such tables are long. */
  sortable?: boolean;
  /** Scrolls where it is long. */
  tall?: boolean;
}

/** A table that scrolls where the page is narrower, by keys too. */
export function scrollTable({
  label,
  head,
  rows,
  style = 'figures',
  sortable = false,
  tall = sortable,
}: TableParts): Html {
  return html`<div class="scroll${tall && ' tall'}" role="region" aria-label="${label}" tabindex="0">
    <table class="${style}${sortable && ' sortable'}">
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** A table that opens at a click on its title. @param sortable by clicks on its headings */
export function foldedTable(title: string, label: string, head: Content, rows: Content, sortable = false): Html {
  return html`<details class="panel">
    <summary>${title}</summary>
    ${scrollTable({ label, head, rows, sortable })}
  </details>`;
}
