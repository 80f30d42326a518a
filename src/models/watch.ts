import type { WatchWeights } from '../ops/norm_spatial';
import type { Tensor } from '../core/tensor';
import type { Block, MorphMLP } from './morphmlp';

/**
 * Where the tokens of a block can be seen: its input x; xt = x + t(LN(x)), after the temporal part (x itself for an image); after
 * the spatial part; after the MLP, its output.
 */
export type BlockPlace = 'input' | 'temporal' | 'spatial' | 'mlp';

/**
 * Looks into a block while it runs. What it is given lives until the block is done; what is kept for longer must be copied. To look
 * changes no bit of what the block computes.
 */
export interface BlockWatch {
  /** The tokens [B, T, H, W, C] as they are made. */
  tokens?: (place: BlockPlace, tokens: Tensor) => void;
  /** The branches' softmax weights [B, C, branches]; others that it returns take their place (without gradients only). */
  weights?: WatchWeights;
  /** Leaves the temporal part out: xt is x. */
  skipTemporal?: boolean;
}

/** A block and where it stands. */
export interface PlacedBlock {
  /** Its name in the weights' file, such as `blocks3.4`. */
  name: string;
  stage: 1 | 2 | 3 | 4;
  block: Block;
}

/** All blocks of a model, from the first on. */
export function placedBlocks(model: MorphMLP): PlacedBlock[] {
  const stages = [model.blocks1, model.blocks2, model.blocks3, model.blocks4];
  return stages.flatMap((blocks, i) => {
    const stage = (i + 1) as 1 | 2 | 3 | 4;
    return blocks.map((block, j) => ({ name: `blocks${stage}.${j}`, stage, block }));
  });
}

/** Runs `body` with the watch that `watchOf` gives for each block, null for none; afterwards the blocks have those from before. */
export function watchBlocks<T>(model: MorphMLP, watchOf: (at: PlacedBlock) => BlockWatch | null, body: () => T): T {
  const before = placedBlocks(model).map((at) => ({ ...at, watch: at.block.watch }));
  try {
    for (const { name, stage, block } of before) block.watch = watchOf({ name, stage, block });
    return body();
  } finally {
    for (const { block, watch } of before) block.watch = watch;
  }
}
