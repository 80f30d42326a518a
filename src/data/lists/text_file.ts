/** Reads text files: detects UTF-8 and UTF-16, and rejects files that are not text. */
import { isUtf8 } from 'node:buffer';
import { readWholeFile } from '../../formats/file';

/** Signatures of files that are not text, and advice for each. */
const NOT_TEXT: readonly (readonly [number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], 'a zip file or a spreadsheet (.xlsx); save the list as csv'],
  [[0x1f, 0x8b], 'compressed by gzip; unpack it first'],
  [[0xff, 0xfe, 0x00, 0x00], 'UTF-32; save it as UTF-8'],
  [[0x00, 0x00, 0xfe, 0xff], 'UTF-32; save it as UTF-8'],
];

const startsWith = (data: Uint8Array, bytes: readonly number[]): boolean => bytes.every((byte, i) => data[i] === byte);

/** Counts zero bytes at even and odd offsets: Latin text in UTF-16 has zeros at all offsets of one parity. */
function zeros(data: Uint8Array): { even: number; odd: number; pairs: number } {
  const pairs = Math.min(512, data.length >> 1);
  let [even, odd] = [0, 0];
  for (let i = 0; i < pairs; i++) {
    if (data[2 * i] === 0) even++;
    if (data[2 * i + 1] === 0) odd++;
  }
  return { even, odd, pairs };
}

/** Byte order of UTF-16 text by its mark or its zeros; null for other text. */
function utf16Order(data: Uint8Array): 'little' | 'big' | null {
  if (startsWith(data, [0xff, 0xfe])) return 'little';
  if (startsWith(data, [0xfe, 0xff])) return 'big';
  const { even, odd, pairs } = zeros(data);
  if (even === 0 && odd > pairs / 2) return 'little';
  return odd === 0 && even > pairs / 2 ? 'big' : null;
}

function decodeUtf16(data: Buffer, order: 'little' | 'big'): string {
  const even = Buffer.from(data.subarray(0, data.length & ~1));
  return (order === 'big' ? even.swap16() : even).toString('utf16le');
}

/** Line of the first byte that is not UTF-8, for the message. */
function firstBadLine(data: Buffer): { line: number; byte: number } {
  let [start, line] = [0, 1];
  for (let end = data.indexOf(10); end >= 0 && isUtf8(data.subarray(start, end)); end = data.indexOf(10, start)) {
    start = end + 1;
    line++;
  }
  const next = data.indexOf(10, start);
  const bad = data.subarray(start, next < 0 ? data.length : next);
  return { line, byte: bad.find((byte) => byte >= 0x80) ?? 0 };
}

/** The bytes of a text in UTF-8, without byte order mark. @throws if the file is not text, or of another encoding */
function utf8Of(file: string, data: Buffer): Buffer {
  const what = NOT_TEXT.find(([bytes]) => startsWith(data, bytes))?.[1];
  if (what !== undefined) throw new Error(`${file}: expected text, and the file is ${what}`);
  const order = utf16Order(data);
  if (order !== null) return withoutMark(Buffer.from(decodeUtf16(data, order)));
  const zero = data.indexOf(0);
  if (zero >= 0) throw new Error(`${file}: expected text, and byte ${zero} is 0`);
  if (isUtf8(data)) return withoutMark(data);
  const { line, byte } = firstBadLine(data);
  throw new Error(
    `${file}:${line}: expected UTF-8, got the invalid byte 0x${byte.toString(16)}; if the list is Latin-1 (Windows-1252), ` +
      'convert it: iconv -f WINDOWS-1252 -t UTF-8',
  );
}

const withoutMark = (data: Buffer): Buffer => (startsWith(data, [0xef, 0xbb, 0xbf]) ? data.subarray(3) : data);

/** Bytes of text that are decoded at a time: a list of a million lines is never whole in memory as a string. */
const BLOCK = 1 << 18;

/** A text file in UTF-8 or UTF-16. Lines end in \n, \r\n or \r. */
export class TextFile {
  private readonly data: Buffer;

  /** @throws if the file is not text or its encoding is ambiguous */
  constructor(file: string) {
    this.data = utf8Of(file, readWholeFile(file));
  }

  /** Upper bound of the number of lines, also of those that are empty. */
  get mostLines(): number {
    let lines = 1;
    for (const end of [10, 13])
      for (let at = this.data.indexOf(end); at >= 0; at = this.data.indexOf(end, at + 1)) lines++;
    return lines;
  }

  /** Calls `line` for every non-empty line, trimmed, with its number from 1, until it returns false. */
  eachLine(line: (text: string, number: number) => boolean | void): void {
    let number = 1;
    for (let start = 0, end; start < this.data.length; start = end) {
      end = this.data.indexOf(10, start + BLOCK) + 1 || this.data.length;
      const raw = this.data.toString('utf8', start, end);
      const text = raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
      for (let from = 0, to; from < text.length; from = to + 1, number++) {
        to = text.indexOf('\n', from);
        if (to < 0) to = text.length;
        const one = text.slice(from, to).trim();
        if (one !== '' && line(one, number) === false) return;
      }
    }
  }
}

/** Non-empty lines of a text file, trimmed, with their numbers from 1. */
export function readLines(file: string): { text: string; number: number }[] {
  const lines: { text: string; number: number }[] = [];
  new TextFile(file).eachLine((text, number) => void lines.push({ text, number }));
  return lines;
}
