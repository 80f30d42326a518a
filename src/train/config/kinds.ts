/** Types of configuration keys. */

/** A key: its default, its meaning, and the parser of its values. */
export interface Key<T> {
  default: T;
  about: string;
  /** Whether the key is ignored. */
  ignored?: true;
  /** The parsed value, or a description of the expected values. */
  read(value: unknown): { value: T } | { expected: string };
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function bounds(least: number, most: number): string {
  if (most !== Infinity) return ` from ${least} to ${most}`;
  return least === -Infinity ? '' : ` of at least ${least}`;
}

function key<T>(initial: T, about: string, expected: string, fits: (value: unknown) => value is T): Key<T> {
  return { default: initial, about, read: (value) => (fits(value) ? { value } : { expected }) };
}

/** true or false. */
export function flag(initial: boolean, about: string): Key<boolean> {
  return key(initial, about, 'true or false', (value) => typeof value === 'boolean');
}

/** A number within bounds. */
export function real(initial: number, about: string, least = -Infinity, most = Infinity): Key<number> {
  const fits = (value: unknown): value is number => isNumber(value) && value >= least && value <= most;
  return key(initial, about, `a number${bounds(least, most)}`, fits);
}

/** A whole number within bounds. */
export function whole(initial: number, about: string, least: number, most = Infinity): Key<number> {
  const fits = (value: unknown): value is number =>
    isNumber(value) && Number.isSafeInteger(value) && value >= least && value <= most;
  return key(initial, about, `a whole number${bounds(least, most)}`, fits);
}

/** A line of text. A number becomes text: a folder may be called 2024. */
export function text(initial: string, about: string): Key<string> {
  const read = (value: unknown) => {
    if (typeof value === 'string') return { value };
    return isNumber(value) ? { value: String(value) } : { expected: 'text' };
  };
  return { default: initial, about, read };
}

/** One of a few values. */
export function choice<T extends string | number>(initial: T, values: readonly T[], about: string): Key<T> {
  const fits = (value: unknown): value is T => values.includes(value as T);
  return key(initial, about, `one of ${values.join(', ')}`, fits);
}

/** A list of numbers of a fixed length, or empty if that is the default. */
export function list(
  initial: number[],
  about: string,
  { length, least = -Infinity, whole: isWhole = false }: { length: number; least?: number; whole?: boolean },
): Key<number[]> {
  const item = (value: unknown) => isNumber(value) && value >= least && (!isWhole || Number.isInteger(value));
  const fits = (value: unknown): value is number[] =>
    Array.isArray(value) &&
    (value.length === length || (initial.length === 0 && value.length === 0)) &&
    value.every(item);
  return key(initial, about, `${length} ${isWhole ? 'whole ' : ''}numbers${bounds(least, Infinity)}`, fits);
}

/** Three numbers, one for each channel of red, green and blue; one number stands for all three. */
export function perChannel(initial: number[], about: string, least = -Infinity): Key<number[]> {
  const inner = list(initial, about, { length: 3, least });
  const read = (value: unknown) => {
    const made = inner.read(isNumber(value) ? [value, value, value] : value);
    return 'value' in made ? made : { expected: `${made.expected}, or one for all channels` };
  };
  return { ...inner, read };
}

/** A list of texts. */
export function texts(initial: string[], about: string): Key<string[]> {
  const fits = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((item) => typeof item === 'string');
  return key(initial, about, 'a list of texts', fits);
}

/** A key that may also be null, which means its default. */
export function optional<T>(inner: Key<T>): Key<T> {
  return { ...inner, read: (value) => (value === null ? { value: inner.default } : inner.read(value)) };
}

/** A switch of the authors' code with only one supported value. `initial`: their default, if it differs. */
export function only<T extends string | number | boolean | null>(built: T, why: string, initial: T = built): Key<T> {
  const read = (value: unknown) => (value === built ? { value: built } : { expected: `${String(built)} (${why})` });
  return { default: initial, about: why, read };
}

/** An ignored key of the authors' files, and the reason. Its value is kept and shown. */
export function ignored<T>(initial: T, why: string): Key<unknown> {
  return { default: initial, about: why, ignored: true, read: (value) => ({ value }) };
}
