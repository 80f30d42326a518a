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

/** A table that opens at a click on its title. @param sortable by clicks on its headings; such tables are long and scroll */
export function foldedTable(title: string, label: string, head: Content, rows: Content, sortable = false): Html {
  return html`<details class="panel">
    <summary>${title}</summary>
    <div class="scroll${sortable && ' tall'}" role="region" aria-label="${label}" tabindex="0">
      <table class="figures${sortable && ' sortable'}">
        <thead>
          <tr>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`;
}
