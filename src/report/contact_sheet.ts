import sharp, { type OverlayOptions } from 'sharp';
import { displayWidth, fitWidth, oneLine } from '../terminal/text_width';
import { escapeHtml } from './html';

/** Pixels to show: RGB bytes [frames, height, width, 3]. */
export interface Pixels {
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
}

/** Layout of frames. */
export interface StripOptions {
  /** Largest number of frames, spread evenly over the clip. */
  frames?: number;
  /** Frames per row. */
  columns?: number;
  /** Height of a frame in pixels; the width keeps the clip's aspect ratio. */
  tile?: number;
}

const GAP = 2;
const PAD = 16;
const CAPTION = { height: 22, size: 13 } as const;

function check({ pixels, frames, height, width }: Pixels): void {
  const sizes = [frames, height, width];
  const whole = sizes.every((n) => Number.isInteger(n) && n > 0);
  if (whole && pixels.length === frames * height * width * 3) return;
  throw new Error(`contact sheet: expected ${sizes.join(' × ')} × 3 bytes, got ${pixels.length}`);
}

/** Indices of `wanted` of `frames` frames, evenly spread, including the first and the last. */
export function spread(frames: number, wanted: number): number[] {
  const n = Math.min(frames, Math.max(1, wanted));
  return Array.from({ length: n }, (_, i) => (n === 1 ? 0 : Math.round((i * (frames - 1)) / (n - 1))));
}

interface Grid {
  overlays: OverlayOptions[];
  width: number;
  height: number;
}

/** Lays out the frames of a clip on a grid with its corner at 0, 0. */
async function grid(clip: Pixels, { frames = 16, columns = 8, tile = 72 }: StripOptions): Promise<Grid> {
  check(clip);
  const chosen = spread(clip.frames, frames);
  const [across, size] = [Math.min(columns, chosen.length), clip.height * clip.width * 3];
  const width = Math.max(1, Math.round((tile * clip.width) / clip.height));
  const kernel = tile >= clip.height ? 'nearest' : 'lanczos3';
  const raw = { width: clip.width, height: clip.height, channels: 3 } as const;
  const overlays = chosen.map(async (frame, i): Promise<OverlayOptions> => {
    const pixels = clip.pixels.subarray(frame * size, (frame + 1) * size);
    const input = await sharp(pixels, { raw }).resize(width, tile, { kernel, fit: 'fill' }).raw().toBuffer();
    return {
      input,
      raw: { width, height: tile, channels: 3 },
      left: (i % across) * (width + GAP),
      top: Math.floor(i / across) * (tile + GAP),
    };
  });
  const rows = Math.ceil(chosen.length / across);
  return {
    overlays: await Promise.all(overlays),
    width: across * (width + GAP) - GAP,
    height: rows * (tile + GAP) - GAP,
  };
}

/** Renders the frames of a clip as one small PNG with transparent background, for a page. */
export async function contactStrip(
  clip: Pixels,
  options: StripOptions = {},
): Promise<{ png: Buffer; width: number; height: number }> {
  const { overlays, width, height } = await grid(clip, options);
  const create = { width, height, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } as const;
  const png = await sharp({ create }).composite(overlays).png({ palette: true, quality: 85, effort: 1 }).toBuffer();
  return { png, width, height };
}

/** A clip with its caption. */
export interface SheetRow {
  clip: Pixels;
  caption: string;
}

/** Replaces characters that XML does not allow, which would make the whole caption fail. */
function captionSvg(text: string, width: number): Buffer {
  const columns = Math.floor(width / (CAPTION.size * 0.62));
  const line = oneLine(text).replace(/[\ufffe\uffff\ud800-\udfff]/gu, '\ufffd');
  const fitted = displayWidth(line) > columns ? fitWidth(line, Math.max(1, columns)) : line;
  const style = `font-family="sans-serif" font-size="${CAPTION.size}" fill="#e6e8eb"`;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${CAPTION.height}">` +
      `<text x="0" y="15" ${style}>${escapeHtml(fitted)}</text></svg>`,
  );
}

const moved = (overlays: readonly OverlayOptions[], left: number, top: number): OverlayOptions[] =>
  overlays.map((o) => ({ ...o, left: (o.left ?? 0) + left, top: (o.top ?? 0) + top }));

/** Renders clips as one PNG, each with a caption and its frames. Captions are shown literally on one line, truncated to the width. */
export async function contactSheet(rows: readonly SheetRow[], options: StripOptions = {}): Promise<Buffer> {
  if (rows.length === 0) throw new Error('contact sheet: expected at least one clip, got none');
  const grids = await Promise.all(rows.map(({ clip }) => grid(clip, { columns: 16, tile: 96, ...options })));
  const width = Math.max(240, ...grids.map((g) => g.width));
  const overlays: OverlayOptions[] = [];
  let top = PAD;
  for (const [i, g] of grids.entries()) {
    overlays.push({ input: captionSvg((rows[i] as SheetRow).caption, width), left: PAD, top });
    overlays.push(...moved(g.overlays, PAD, top + CAPTION.height));
    top += CAPTION.height + g.height + PAD;
  }
  const create = { width: width + 2 * PAD, height: top, channels: 3, background: '#16191d' } as const;
  return sharp({ create }).composite(overlays).png().toBuffer();
}
