/**
 * Tone and colour operations on one frame u8 [height, width, 3], in place, bit-equal to Pillow's
 * (ImageOps, ImageEnhance): the authors' recipes apply Pillow's.
 */

/** Cached because access to a global is slow in a sandboxed context (jest, node:vm). */
const { floor, fround, max, min, trunc } = Math;

type Table = Uint8Array;
const identity: Table = Uint8Array.from({ length: 256 }, (_, i) => i);
const tableOf = (value: (byte: number) => number): Table => identity.map((byte) => min(255, max(0, value(byte))));

function applyTables(frame: Uint8Array, [red, green, blue]: readonly [Table, Table, Table]): void {
  for (let i = 0; i < frame.length; i += 3) {
    frame[i] = red[frame[i]!]!;
    frame[i + 1] = green[frame[i + 1]!]!;
    frame[i + 2] = blue[frame[i + 2]!]!;
  }
}

function applyTable(frame: Uint8Array, table: Table): void {
  applyTables(frame, [table, table, table]);
}

/** Histogram of each channel. */
function histograms(frame: Uint8Array): [Uint32Array, Uint32Array, Uint32Array] {
  const [red, green, blue] = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  for (let i = 0; i < frame.length; i += 3) {
    red[frame[i]!]!++;
    green[frame[i + 1]!]!++;
    blue[frame[i + 2]!]!++;
  }
  return [red, green, blue];
}

function byHistogram(frame: Uint8Array, tableFor: (counts: Uint32Array) => Table): void {
  const [red, green, blue] = histograms(frame);
  applyTables(frame, [tableFor(red), tableFor(green), tableFor(blue)]);
}

function stretched(counts: Uint32Array): Table {
  const low = counts.findIndex((n) => n > 0);
  const high = counts.findLastIndex((n) => n > 0);
  if (high <= low) return identity;
  const scale = 255 / (high - low);
  return tableOf((byte) => trunc(byte * scale - low * scale));
}

function equalized(counts: Uint32Array): Table {
  const last = counts.findLastIndex((n) => n > 0);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const step = floor((total - counts[last]!) / 255);
  if (step === 0) return identity;
  let below = floor(step / 2);
  return tableOf((byte) => {
    const value = floor(below / step);
    below += counts[byte]!;
    return value;
  });
}

/** Stretches every channel to the whole range. */
export const autoContrast = (frame: Uint8Array): void => byHistogram(frame, stretched);

/** Makes every channel's bytes about equally frequent. */
export const equalize = (frame: Uint8Array): void => byHistogram(frame, equalized);

/** The negative. */
export const invert = (frame: Uint8Array): void =>
  applyTable(
    frame,
    tableOf((byte) => 255 - byte),
  );

/** Keeps the highest `bits` bits, 0 to 8. */
export const posterize = (frame: Uint8Array, bits: number): void =>
  applyTable(
    frame,
    tableOf((byte) => byte & ~(2 ** (8 - bits) - 1)),
  );

/** The negative of bytes from `threshold` on. */
export const solarize = (frame: Uint8Array, threshold: number): void =>
  applyTable(
    frame,
    tableOf((byte) => (byte < threshold ? byte : 255 - byte)),
  );

/** Adds to bytes below 128. */
export const solarizeAdd = (frame: Uint8Array, add: number): void =>
  applyTable(
    frame,
    tableOf((byte) => (byte < 128 ? byte + add : byte)),
  );

/** Pillow's blend of two bytes in single precision, cut off: `from` at factor 0, `to` at 1, beyond it outside. */
function blend(from: number, to: number, factor: number): number {
  const value = fround(from + fround(factor * (to - from)));
  return value <= 0 ? 0 : value >= 255 ? 255 : trunc(value);
}

/** Pillow's luma of a pixel. */
const luma = (red: number, green: number, blue: number): number =>
  (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

/** Towards black (0), unchanged (1), lighter (above 1). */
export function brightness(frame: Uint8Array, factor: number): void {
  const single = fround(factor);
  applyTable(
    frame,
    tableOf((byte) => blend(0, byte, single)),
  );
}

/** Towards the mean grey (0), unchanged (1), stronger (above 1). */
export function contrast(frame: Uint8Array, factor: number): void {
  let sum = 0;
  for (let i = 0; i < frame.length; i += 3) sum += luma(frame[i]!, frame[i + 1]!, frame[i + 2]!);
  const mean = trunc(sum / (frame.length / 3) + 0.5);
  const single = fround(factor);
  applyTable(
    frame,
    tableOf((byte) => blend(mean, byte, single)),
  );
}

/** Towards grey (0), unchanged (1), more colour (above 1). */
export function colour(frame: Uint8Array, factor: number): void {
  const single = fround(factor);
  for (let i = 0; i < frame.length; i += 3) {
    const grey = luma(frame[i]!, frame[i + 1]!, frame[i + 2]!);
    for (let c = i; c < i + 3; c++) frame[c] = blend(grey, frame[c]!, single);
  }
}

/** Pillow's SMOOTH: the pixel five times and its eight neighbours, over 13; the border stays as it is. */
function smoothed(frame: Uint8Array, width: number): Uint8Array {
  const smooth = new Uint8Array(frame); // slice() of a Buffer copies nothing
  const row = width * 3;
  for (let y = row; y < frame.length - row; y += row) {
    for (let i = y + 3; i < y + row - 3; i++) {
      const above = frame[i - row - 3]! + frame[i - row]! + frame[i - row + 3]!;
      const below = frame[i + row - 3]! + frame[i + row]! + frame[i + row + 3]!;
      smooth[i] = floor((above + below + frame[i - 3]! + frame[i + 3]! + 5 * frame[i]!) / 13 + 0.5);
    }
  }
  return smooth;
}

/** Towards smooth (0), unchanged (1), sharper (above 1). */
export function sharpness(frame: Uint8Array, factor: number, width: number): void {
  const smooth = smoothed(frame, width);
  const single = fround(factor);
  for (let i = 0; i < frame.length; i++) frame[i] = blend(smooth[i]!, frame[i]!, single);
}
