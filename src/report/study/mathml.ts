/** Formulas as MathML, which browsers draw without a library. */
import { html, type Html } from '../html';

/** A name, a number, a subscript or superscript with its brackets, or one other character. */
const TOKEN = /[A-Za-z]+|\d+(?:\.\d+)?|[_^]\[|\S/gu;

function leaf(token: string): Html {
  if (/^[A-Za-z]/.test(token)) return html`<mi>${token}</mi>`;
  return /^\d/.test(token) ? html`<mn>${token}</mn>` : html`<mo>${token}</mo>`;
}

/** Reads tokens up to `]` or the end. Brackets of a text are ⟨ ⟩ or ( ), because [ ] delimit scripts. */
function parse(tokens: string[]): Html[] {
  const row: Html[] = [];
  for (let token = tokens.shift(); token !== undefined && token !== ']'; token = tokens.shift()) {
    if (token !== '_[' && token !== '^[') {
      row.push(leaf(token));
      continue;
    }
    const [base, script] = [row.pop() ?? html`<mrow></mrow>`, html`<mrow>${parse(tokens)}</mrow>`];
    row.push(token === '_[' ? html`<msub>${base}${script}</msub>` : html`<msup>${base}${script}</msup>`);
  }
  return row;
}

/** Converts a formula such as `v_[l·S+s] = x_[j·L+l, g·S+s]`: `_[…]` is a subscript, `^[…]` a superscript. */
export function formula(text: string): Html {
  return html`<math display="block" aria-label="${text.replace(/([_^])\[/g, '$1(').replace(/\]/g, ')')}"
    ><mrow>${parse(text.match(TOKEN) ?? [])}</mrow></math
  >`;
}
