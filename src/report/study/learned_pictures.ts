import sharp from 'sharp';
import type { Clip } from '../../data/types';
import { LearnedPictures, type MatrixNorms, type MatrixPicture, type SaliencyPicture } from '../../study/learned_types';
import { salientClips, type Learned } from '../../study/learned';
import { mixingFcs, type MixingFc } from '../../study/matrices';
import type { SaliencyMaps } from '../../study/saliency';
import type { Subject } from '../../study/subject';
import { contactStrip, spread } from '../contact_sheet';

type Rgb = readonly [number, number, number];

/** Colours of positive and negative values, visible on white and on black. */
const ABOVE: Rgb = [226, 98, 20];
const BELOW: Rgb = [58, 112, 232];

/** Shades of each colour. Few, because a picture of weights is noise, which compresses only by having fewer bits. */
const SHADES = 15;

const dataUri = (png: Buffer, type = 'png'): string => `data:image/${type};base64,${png.toString('base64')}`;

/**
 * Renders a matrix as a PNG with one pixel per element: 0 is transparent, for light and dark backgrounds; opacity grows up to ± `limit`.
 */
async function matrixPng(values: ArrayLike<number>, columns: number, limit: number): Promise<Buffer> {
  const pixels = new Uint8Array(values.length * 4);
  for (let i = 0; i < values.length; i++) {
    const shade = limit > 0 ? Math.round(Math.min(1, Math.abs(values[i]!) / limit) * SHADES) : 0;
    pixels.set(values[i]! < 0 ? BELOW : ABOVE, 4 * i);
    pixels[4 * i + 3] = Math.round((shade * 255) / SHADES);
  }
  const raw = { width: columns, height: values.length / columns, channels: 4 } as const;
  const palette = { palette: true, colours: 2 * SHADES + 2, dither: 0, quality: 100, effort: 7 };
  return sharp(pixels, { raw })
    .png({ ...palette, compressionLevel: 9 })
    .toBuffer();
}

/** The magnitude exceeded by a fraction `beyond` of the values. */
function limitOf(values: ArrayLike<number>, beyond = 0.005): number {
  const sizes = Float32Array.from(values, Math.abs).sort();
  return sizes[Math.min(sizes.length - 1, Math.floor((1 - beyond) * sizes.length))]!;
}

/** Orders blocks by priority: requested ones, the last of each stage, then the others in order. */
function inOrder(fcs: readonly MixingFc[], wanted: readonly string[]): MixingFc[] {
  const last = new Map(fcs.map(({ stage, block }) => [stage, block]));
  const rank = ({ block, stage }: MixingFc) => (wanted.includes(block) ? 0 : last.get(stage) === block ? 1 : 2);
  return [...fcs].sort((a, b) => rank(a) - rank(b));
}

/** Renders the weights of mixing FCs as pictures, as many as fit into `budget` bytes of the page. */
async function matrixPictures(
  fcs: readonly MixingFc[],
  { wanted = [], budget }: { wanted?: readonly string[]; budget: number },
): Promise<{ matrices: MatrixPicture[]; leftOut: string[] }> {
  const [matrices, leftOut]: [MatrixPicture[], string[]] = [[], []];
  let room = budget;
  for (const { name, fc } of inOrder(fcs, wanted)) {
    const bytes = (fc.weight.size * 5) / 6; // noise of so many shades takes five bits per weight, in base64
    const weight = room < bytes / 2 ? null : fc.weight.floats();
    const limit = weight ? limitOf(weight) : 0;
    const image = weight ? dataUri(await matrixPng(weight, fc.inFeatures, limit)) : '';
    if (weight && image.length <= room) matrices.push({ name, image, limit });
    else leftOut.push(name);
    if (weight && image.length <= room) room -= image.length;
  }
  return { matrices, leftOut };
}

/** Side of a saliency cell in pixels: a token of the stem. */
const CELL = 4;
/** The strip of frames: their largest number and their height. */
const STRIP = { frames: 8, columns: 8, tile: 112 } as const;

/** The two cells around a pixel along one axis, with the interpolation weight of the second. */
function between(pixel: number, cells: number): [first: number, second: number, part: number] {
  const at = Math.min(cells - 1, Math.max(0, (pixel + 0.5) / CELL - 0.5));
  return [Math.floor(at), Math.min(cells - 1, Math.floor(at) + 1), at % 1];
}

/** Sums one frame of a map over cells of 4 × 4 pixels, and interpolates linearly between their centres. */
function softFrame(frame: Float32Array, height: number, width: number, out: Float32Array): void {
  const [rows, columns] = [Math.ceil(height / CELL), Math.ceil(width / CELL)];
  const cells = new Float32Array(rows * columns);
  for (let i = 0; i < frame.length; i++)
    cells[Math.floor(i / width / CELL) * columns + Math.floor((i % width) / CELL)]! += frame[i]!;
  for (let i = 0; i < frame.length; i++) {
    const [top, bottom, down] = between(Math.floor(i / width), rows);
    const [left, right, over] = between(i % width, columns);
    const mix = (row: number) => cells[row * columns + left]! * (1 - over) + cells[row * columns + right]! * over;
    out[i] = mix(top) * (1 - down) + mix(bottom) * down;
  }
}

/** Smooths a map [frames, height, width]. */
export function soften(map: Float32Array, frames: number, height: number, width: number): Float32Array {
  const [soft, area] = [new Float32Array(map.length), height * width];
  for (let t = 0; t < frames; t++)
    softFrame(map.subarray(t * area, (t + 1) * area), height, width, soft.subarray(t * area, (t + 1) * area));
  return soft;
}

/** Overlays a map on grey frames: stronger values have more colour. */
export function overlay(clip: Clip, map: Float32Array): Clip {
  const limit = limitOf(map, 0.002) || 1;
  const pixels = new Uint8Array(clip.pixels.length);
  for (let i = 0; i < map.length; i++) {
    const [r, g, b] = clip.pixels.subarray(3 * i, 3 * i + 3);
    const grey = 0.5 * (0.299 * r! + 0.587 * g! + 0.114 * b!) + 40;
    const share = Math.min(1, Math.abs(map[i]!) / limit) ** 0.8;
    const color = map[i]! < 0 ? BELOW : ABOVE;
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = grey * (1 - share) + color[c]! * share;
  }
  return { ...clip, pixels };
}

/** Renders a clip's frames and saliency overlays. */
async function saliencyPicture(clip: Clip, maps: SaliencyMaps): Promise<SaliencyPicture> {
  const { frames, height, width } = clip;
  const draw = async (shown: Clip) => contactStrip(shown, STRIP);
  const over = async (map: Float32Array) => draw(overlay(clip, soften(map, frames, height, width)));
  const [plain, magnitude, contribution] = await Promise.all([
    draw(clip),
    over(maps.magnitude),
    over(maps.contribution),
  ]);
  return {
    ...{ frames: dataUri(plain.png), magnitude: dataUri(magnitude.png), contribution: dataUri(contribution.png) },
    ...{ width: plain.width, height: plain.height, shown: spread(frames, STRIP.frames) },
  };
}

/** Largest number of bytes of the page for pictures of weights. */
const BUDGET = 2_000_000;

async function normPicture({ name, norms, positions }: MatrixNorms): Promise<MatrixPicture> {
  const limit = Math.max(...norms);
  return { name, image: dataUri(await matrixPng(norms, positions, limit)), limit };
}

/**
 * Renders all pictures: saliency of clips, norms between positions, and as many weights as fit.
 * @param blocks blocks whose weights have priority
 * @throws if a block is unknown
 */
export async function drawLearned(
  { network, clips }: Subject,
  { learned, maps }: Learned,
  { blocks = [], budget = BUDGET }: { blocks?: readonly string[]; budget?: number } = {},
): Promise<LearnedPictures> {
  const fcs = mixingFcs(network);
  const unknown = blocks.find((block) => !fcs.some((fc) => fc.block === block));
  if (unknown !== undefined)
    throw new Error(`block ${unknown} is not one of ${[...new Set(fcs.map(({ block }) => block))].join(', ')}`);
  const { matrices, leftOut } = await matrixPictures(fcs, { wanted: blocks, budget });
  const salient = salientClips(clips);
  const saliency = await Promise.all(maps.map((own, i) => saliencyPicture(salient[i]!, own)));
  const norms = await Promise.all(learned.matrices.filter(({ positions }) => positions > 1).map(normPicture));
  return new LearnedPictures(matrices, leftOut, budget, saliency, norms);
}
