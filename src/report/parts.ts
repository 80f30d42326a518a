/** Fragments shared by pages. */
import { html, type Content, type Html } from './html';

/** A figure on a card. */
export function card(name: string, value: string, note: string, main = false): Html {
  return html`<div class="card${main ? ' main' : ''}">
    <dt>${name}</dt>
    <dd>${value}<small>${note}</small></dd>
  </div>`;
}

/** Describes the subject of a page as a list of names and texts. */
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

/** The content of a table. */
interface TableParts {
  /** The accessible name. */
  label: string;
  head: Content;
  rows: Content;
  style?: 'figures' | 'facts' | 'matrix';
  /** Can be sorted by clicking its headings. */
  sortable?: boolean;
  /** Scrolls vertically if it is long. */
  tall?: boolean;
}

/** A table that scrolls horizontally on narrow pages, also by keyboard. */
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

/** A collapsible table. @param sortable can be sorted by clicking its headings */
export function foldedTable(title: string, label: string, head: Content, rows: Content, sortable = false): Html {
  return html`<details class="panel">
    <summary>${title}</summary>
    ${scrollTable({ label, head, rows, sortable })}
  </details>`;
}
