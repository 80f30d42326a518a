import type { WatchWeights } from '../ops/norm_spatial';
import type { Tensor } from '../core/tensor';
import type { Block, MorphMLP } from './morphmlp';

/**
 * Observable tokens of a block: its input x; xt = x + t(LN(x)) after the temporal part (x itself for an image); the result of the
 * spatial part; the result of the MLP, which is the block's output.
 */
export type BlockPlace = 'input' | 'temporal' | 'spatial' | 'mlp';

/**
 * Observes a block during its forward. The tensors live until the block returns; copy those needed longer. Observing does not
 * change the bits that the block computes.
 */
export interface BlockWatch {
  /** Called with the tokens [B, T, H, W, C] at each place. */
  tokens?: (place: BlockPlace, tokens: Tensor) => void;
  /** Called with the branches' softmax weights [B, C, branches]; a returned tensor replaces them (only without gradients). */
  weights?: WatchWeights;
  /** Skips the temporal part: xt is x. */
  skipTemporal?: boolean;
}

/** A block and its position in the model. */
export interface PlacedBlock {
  /** Name in the weights' file, such as `blocks3.4`. */
  name: string;
  stage: 1 | 2 | 3 | 4;
  block: Block;
}

/** All blocks of a model, in order. */
export function placedBlocks(model: MorphMLP): PlacedBlock[] {
  const stages = [model.blocks1, model.blocks2, model.blocks3, model.blocks4];
  return stages.flatMap((blocks, i) => {
    const stage = (i + 1) as 1 | 2 | 3 | 4;
    return blocks.map((block, j) => ({ name: `blocks${stage}.${j}`, stage, block }));
  });
}

/** Runs `body` with the watch that `watchOf` returns for each block (null: none), then restores the previous watches. */
export function watchBlocks<T>(model: MorphMLP, watchOf: (at: PlacedBlock) => BlockWatch | null, body: () => T): T {
  const before = placedBlocks(model).map((at) => ({ ...at, watch: at.block.watch }));
  try {
    for (const { name, stage, block } of before) block.watch = watchOf({ name, stage, block });
    return body();
  } finally {
    for (const { block, watch } of before) block.watch = watch;
  }
}
