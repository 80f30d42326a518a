import stringWidth from 'string-width';

/** Terminal escape sequences: colours, cursor movement and links. */
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;
const segmenter = new Intl.Segmenter();

/** Removes terminal escape sequences. */
export function stripEscapes(text: string): string {
  return text.replace(ESCAPES, '');
}

/** Removes escape sequences and replaces control characters by spaces, so that a file name cannot move the cursor or change colours. */
export function oneLine(text: string): string {
  return stripEscapes(text).replace(CONTROLS, ' ');
}

const UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const COLOUR = /\x1b\[[\d;]*m/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * Replaces control characters by visible escapes (\u001b, as in JSON), so that a name from a file or a list cannot affect a terminal.
 * Keeps line breaks.
 */
export const printable = (text: string): string => text.replace(UNSAFE, escaped);

/** Like `printable`, but keeps colour sequences, for text with our own colours. */
export function printableColoured(text: string): string {
  const colours = text.match(COLOUR) ?? [];
  return text
    .split(COLOUR)
    .map((part, i) => (i === 0 ? '' : colours[i - 1]!) + part.replace(UNSAFE, escaped))
    .join('');
}

/** The width of a text in terminal columns; East Asian wide characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  return stringWidth(stripEscapes(text));
}

/** Truncates a text to at most `columns` columns, ending in … if truncated. A truncated text loses its escape sequences. */
export function fitWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let [out, width] = ['', 0];
  for (const { segment } of segmenter.segment(stripEscapes(text))) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    out += segment;
  }
  return columns > 0 ? `${out}…` : '';
}

/** Pads a text with spaces to `columns` columns; longer texts are unchanged. */
export function padWidth(text: string, columns: number, side: 'left' | 'right' = 'right'): string {
  const fill = ' '.repeat(Math.max(0, columns - displayWidth(text)));
  return side === 'right' ? text + fill : fill + text;
}
