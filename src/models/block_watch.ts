import type { Tensor } from '../core/tensor';
import type { WatchWeights } from '../ops/norm_spatial';

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
