/** Text of tensors for people. */

/** Elements along a dimension that a summary shows at each end. */
const EDGE = 3;
/** Elements up to which all are shown. */
const WHOLE = 1000;

const number = (value: number): string => String(Number(value.toPrecision(5)));

/** The positions of a dimension that are shown; null for those left out. */
function shown(size: number, whole: boolean): (number | null)[] {
  if (whole || size <= 2 * EDGE) return Array.from({ length: size }, (_, i) => i);
  const ends = Array.from({ length: EDGE }, (_, i) => i);
  return [...ends, null, ...ends.map((i) => size - EDGE + i)];
}

/** Values as nested brackets, as PyTorch prints them: columns aligned, the middle of long dimensions left out. */
export function showValues(values: ArrayLike<number>, shape: readonly number[], indent: number): string {
  const whole = values.length <= WHOLE;
  const places = shape.map((size) => shown(size, whole));
  const texts: string[] = [];
  const visit = (dim: number, offset: number, use: (text: string) => string): string => {
    if (dim === shape.length) return use(number(values[offset] as number));
    const step = shape.slice(dim + 1).reduce((a, b) => a * b, 1);
    const parts = places[dim]!.map((i) => (i === null ? '…' : visit(dim + 1, offset + i * step, use)));
    const lines = shape.length - dim - 1;
    return `[${parts.join(lines === 0 ? ', ' : `,${'\n'.repeat(lines)}${' '.repeat(indent + dim + 1)}`)}]`;
  };
  visit(0, 0, (text) => (texts.push(text), text));
  const width = Math.max(0, ...texts.map((text) => text.length));
  return visit(0, 0, (text) => text.padStart(shape.length === 0 ? 0 : width));
}
