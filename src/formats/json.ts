/**
 * A strict JSON parser for headers of untrusted files. Unlike `JSON.parse` it refuses duplicate keys, returns objects as Maps (so
 * that `__proto__` is an ordinary key), preserves their order, and limits nesting.
 */

/** Result of {@link parseJson}. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonMap;
export type JsonMap = Map<string, JsonValue>;

const DEEPEST = 32;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): JsonValue {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('the end');
    return value;
  }

  private fail(expected: string): never {
    const got = this.at < this.text.length ? JSON.stringify(this.text.slice(this.at, this.at + 12)) : 'the end';
    throw new Error(`expected ${expected} at character ${this.at}, got ${got}`);
  }

  private space(): void {
    while (this.at < this.text.length && ' \t\n\r'.includes(this.text[this.at] as string)) this.at++;
  }

  private take(token: string): boolean {
    this.space();
    const found = this.text.startsWith(token, this.at);
    if (found) this.at += token.length;
    return found;
  }

  private expect(token: string): void {
    if (!this.take(token)) this.fail(`'${token}'`);
  }

  private value(depth: number): JsonValue {
    if (depth > DEEPEST) this.fail(`at most ${DEEPEST} levels of nesting`);
    if (this.take('{')) return this.object(depth);
    if (this.take('[')) return this.array(depth);
    if (this.take('"')) return this.string();
    if (this.take('true')) return true;
    if (this.take('false')) return false;
    if (this.take('null')) return null;
    return this.number();
  }

  private object(depth: number): JsonMap {
    const map: JsonMap = new Map();
    if (this.take('}')) return map;
    do {
      this.expect('"');
      const key = this.string();
      if (map.has(key)) throw new Error(`duplicate key ${JSON.stringify(key)}`);
      this.expect(':');
      map.set(key, this.value(depth + 1));
    } while (this.take(','));
    this.expect('}');
    return map;
  }

  private array(depth: number): JsonValue[] {
    const values: JsonValue[] = [];
    if (this.take(']')) return values;
    do values.push(this.value(depth + 1));
    while (this.take(','));
    this.expect(']');
    return values;
  }

  private string(): string {
    const start = this.at;
    for (;;) {
      PLAIN.lastIndex = this.at;
      PLAIN.exec(this.text);
      this.at = PLAIN.lastIndex;
      if (this.text[this.at] === '"') break;
      if (this.text[this.at] !== '\\') this.fail('a closing quote');
      this.at += 2;
    }
    const raw = this.text.slice(start, this.at++);
    return raw.includes('\\') ? this.unescape(raw) : raw;
  }

  private unescape(raw: string): string {
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      return this.fail(`a valid escape in the string ${JSON.stringify(raw.slice(0, 40))} before`);
    }
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (!found) this.fail('a value');
    this.at = NUMBER.lastIndex;
    return Number(found[0]);
  }
}

/**
 * Parses one JSON document.
 * @throws on a syntax error, with the expected token and the position; on a duplicate key; on more than 32 levels of nesting
 */
export function parseJson(text: string): JsonValue {
  return new Parser(text).document();
}
