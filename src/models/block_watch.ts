import type { Tensor } from '../core/tensor';
import type { WatchWeights } from '../ops/norm_spatial';

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
