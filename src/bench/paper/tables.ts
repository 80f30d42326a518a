/**
 * The cost of the paper's networks (arXiv 2111.12527), row by row. Its "GFLOPs" are multiply-adds. Figures of video models come from the
 * authors' README, whose three lists contain the rows of tables 3, 4 and 5. Figures found in neither are null.
 */
import { ablationWords, type Ablation } from '../../models/ablation';
import { VARIANTS, type MorphMlpConfig } from '../../models/config';

export const TABLES = [1, 3, 4, 5, 8, 9, 10] as const;
export type TableNumber = (typeof TABLES)[number];

/** The subject of each table. */
export const TITLES: Record<TableNumber, string> = {
  1: 'ImageNet-1K',
  3: 'Kinetics-400',
  4: 'Something-Something V1',
  5: 'Something-Something V2',
  8: 'channels of a group, image T',
  9: 'branches and their weighting, image T',
  10: 'convolutions in place of MorphFC, image T',
};

/** The number of views tested per clip: crops × clips. */
export interface ViewCount {
  crops: number;
  clips: number;
}

/** A row of a table. */
export interface PaperEntry {
  table: TableNumber;
  /** The row's name: `image-t`, `video-s 16x3x1` (frames x crops x clips), `conv 3x3`. */
  name: string;
  /** Identifies the network without its head: rows that share it are timed once. */
  network: string;
  config: MorphMlpConfig;
  /** Use simple ops instead of fused kernels, for a fair comparison with ablations. */
  simple?: true;
  views: ViewCount;
  /** Parameters in millions, and billions of multiply-adds over all views; null if unknown. */
  paper: { params: number | null; gmacs: number | null };
  /** Top-1 accuracy in percent on the table's data set: of videos by the authors' README, of image L by a listing of the paper's results. Absent if unknown. */
  top1?: number;
  note?: string;
}

const ONE: ViewCount = { crops: 1, clips: 1 };

function image(name: string, more: { note?: string; top1?: number } = {}): PaperEntry {
  const { config, paper } = VARIANTS[name]!;
  return { table: 1, name, network: name, config, views: ONE, paper: paper!, ...more };
}

/** The figures of a video model over all views. */
interface Published {
  gmacs: number;
  top1: number;
  note?: string;
}

function video(table: 3 | 4 | 5, network: string, views: ViewCount, { gmacs, ...more }: Published): PaperEntry {
  const { config } = VARIANTS[network]!;
  const numClasses = table === 3 ? 400 : 174;
  const name = `${network.replace(/-32$/, '')} ${config.frames}x${views.crops}x${views.clips}`;
  const known = { params: null, gmacs };
  return { table, name, network, config: { ...config, numClasses }, views, paper: known, ...more };
}

const clips = (count: number): ViewCount => ({ crops: 1, clips: count });
const crops = (count: number): ViewCount => ({ crops: count, clips: 1 });

interface Known {
  params: number | null;
  gmacs: number | null;
}
const UNKNOWN: Known = { params: null, gmacs: null };

function ablated(table: 8 | 9 | 10, name: string, ablation: Partial<Ablation>, paper: Known = UNKNOWN): PaperEntry {
  const config = { ...VARIANTS['image-t']!.config, ablation };
  return { table, name, network: ['image-t', ...ablationWords({ ablation })].join(', '), config, views: ONE, paper };
}

const published: Known = { params: 23.4, gmacs: 4.0 };

/** All rows. In tables 8 to 10 the published network comes first, as the baseline of the others. */
export const PAPER: readonly PaperEntry[] = [
  image('image-t'),
  image('image-s', { note: "the paper lists 38M parameters; the authors' code has 40.55M, and so have we" }),
  image('image-b'),
  image('image-l', { top1: 83.4 }),
  video(3, 'video-s', clips(4), { gmacs: 268, top1: 78.7 }),
  video(3, 'video-s-32', clips(4), { gmacs: 532, top1: 79.7 }),
  video(3, 'video-b', clips(4), { gmacs: 392, top1: 79.5 }),
  video(3, 'video-b-32', clips(4), { gmacs: 788, top1: 80.8 }),
  video(4, 'video-s', ONE, { gmacs: 67, top1: 50.6 }),
  video(4, 'video-s', crops(3), { gmacs: 201, top1: 53.9 }),
  video(4, 'video-b', crops(3), { gmacs: 294, top1: 55.1 }),
  video(4, 'video-b-32', crops(3), { gmacs: 591, top1: 57.4 }),
  video(5, 'video-s', crops(3), { gmacs: 201, top1: 67.1 }),
  video(5, 'video-s-32', crops(3), {
    gmacs: 405,
    top1: 68.3,
    note: '405 is 3 x 135; for the same network on Kinetics-400 the authors have 4 x 133',
  }),
  video(5, 'video-b', crops(3), { gmacs: 294, top1: 67.6 }),
  video(5, 'video-b-32', crops(3), { gmacs: 591, top1: 70.1 }),
  ablated(8, 'C/L', {}, published),
  ablated(8, 'C/2L', { groupDim: 'C/2L' }, { params: 22.0, gmacs: 3.7 }),
  ablated(8, '2C/L', { groupDim: '2C/L' }, { params: 28.9, gmacs: 4.6 }),
  ablated(9, 'H+W+C weighted', {}),
  ablated(9, 'H+W+C sum', { weighting: 'sum' }),
  ablated(9, 'H+W weighted', { branches: 'H+W' }),
  ablated(9, 'H+W sum', { branches: 'H+W', weighting: 'sum' }),
  ablated(10, 'MorphFC', {}, published),
  { ...ablated(10, 'MorphFC, simple ops', {}), network: 'image-t, simple ops', simple: true },
  ablated(10, 'conv 3x3', { spatial: 'conv_3x3' }, { params: 34.5, gmacs: 6.2 }),
  ablated(10, 'conv 7x7', { spatial: 'conv_7x7' }, { params: 113, gmacs: 20.6 }),
  ablated(10, 'group conv', { spatial: 'group_conv' }, published),
];
