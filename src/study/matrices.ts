import type { Linear } from '../nn/layers';
import { AblatedFc } from '../models/ablated_fc';
import type { MorphMLP } from '../models/morphmlp';
import { placedBlocks, type PlacedBlock } from '../models/watch';
import type { MatrixNorms, MixingPart } from './learned_types';

/** A mixing FC of a model. Index of its rows and columns: position · channels + channel of the group. */
export interface MixingFc {
  block: string;
  stage: number;
  part: MixingPart;
  name: string;
  fc: Linear;
  positions: number;
  channels: number;
}

function fcsOf({ name, stage, block }: PlacedBlock): MixingFc[] {
  const { fc } = block;
  if (fc instanceof AblatedFc)
    throw new Error(`learned: expected the published network, got a model with ${fc.switches}`);
  const [size, chunk] = [fc.proj.inFeatures, fc.chunk];
  const spatial = { positions: chunk, channels: size / chunk };
  const at = { block: name, stage };
  const fcs: MixingFc[] = [];
  if (block.t_fc) {
    const [row, channels] = [block.t_fc.mlp_t.inFeatures, size / block.t_fc.groups];
    const time = { positions: row / channels, channels };
    fcs.push({ ...at, part: 'temporal', name: `${name}.t_fc.mlp_t`, fc: block.t_fc.mlp_t, ...time });
  }
  fcs.push({ ...at, part: 'height', name: `${name}.fc.mlp_h`, fc: fc.mlp_h, ...spatial });
  if ('mlp_w' in fc) fcs.push({ ...at, part: 'width', name: `${name}.fc.mlp_w`, fc: fc.mlp_w, ...spatial });
  const alone = { positions: 1, channels: size };
  fcs.push({ ...at, part: 'channel', name: `${name}.fc.mlp_c`, fc: fc.mlp_c, ...alone });
  return fcs;
}

/** All mixing FCs of a model in block order. */
export const mixingFcs = (model: MorphMLP): MixingFc[] => placedBlocks(model).flatMap(fcsOf);

/** The sum of squares of each block of a square matrix divided into positions × positions blocks, row-major. */
export function blockSquares(weight: ArrayLike<number>, positions: number, channels: number): Float64Array {
  const size = positions * channels;
  const sums = new Float64Array(positions * positions);
  for (let row = 0; row < size; row++) {
    const out = Math.floor(row / channels) * positions;
    for (let column = 0; column < size; column++)
      sums[out + Math.floor(column / channels)]! += weight[row * size + column]! ** 2;
  }
  return sums;
}

/** Fractions of the sum of squares on the diagonal, below it (earlier inputs) and above it (later inputs). */
function sharesOf(squares: Float64Array, positions: number): MatrixNorms['shares'] {
  const sums = { own: 0, before: 0, after: 0 };
  squares.forEach((square, i) => {
    const [out, from] = [Math.floor(i / positions), i % positions];
    sums[from === out ? 'own' : from < out ? 'before' : 'after'] += square;
  });
  const all = sums.own + sums.before + sums.after || 1;
  return { own: sums.own / all, before: sums.before / all, after: sums.after / all };
}

/** Computes the block norms of one FC. */
export function matrixNorms({ fc, positions, channels, ...where }: MixingFc): MatrixNorms {
  const squares = blockSquares(fc.weight.floats(), positions, channels);
  const [area, size] = [channels * channels, positions * channels];
  const norms = Array.from(squares, (square) => Math.sqrt(square / area));
  const rms = Math.sqrt(squares.reduce((a, b) => a + b, 0) / (size * size));
  return { ...where, size, positions, channels, norms, rms, shares: sharesOf(squares, positions) };
}
