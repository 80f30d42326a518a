/** The part of the JSON of `morphmlp study` under `learned`. */

/** A mixing FC of a block. Stage 4 has no width branch; its height branch takes tokens row by row, in strided order. */
export type MixingPart = 'height' | 'width' | 'channel' | 'temporal';

/** A block by its name in the weights' file, such as `blocks3.4`, and its stage. */
export interface BlockPlacement {
  block: string;
  stage: number;
}

/** Minimum, quartiles, maximum and mean. */
export interface Summary {
  min: number;
  q1: number;
  median: number;
  q3: number;
  max: number;
  mean: number;
}

/** The softmax weights of a block's branches. */
export interface BranchWeights extends BlockPlacement {
  branches: {
    branch: MixingPart;
    /** Distribution over channels of the mean weight over clips. The means of a block's branches add up to 1. */
    channels: Summary;
    /** Standard deviation of a channel's weight over clips, as root mean square over channels; null for 1 clip. */
    clipDeviation: number | null;
    /** Fraction of channels in which this branch has the largest weight. */
    leading: number;
  }[];
}

/** Norms of the blocks of a token-mixing FC, one block per pair of positions. */
export interface MatrixNorms extends BlockPlacement {
  part: MixingPart;
  /** The weight's name. */
  name: string;
  /** Rows and columns of the square matrix: positions · channels. */
  size: number;
  /** Chunk positions L (`height`, `width`) or time steps T (`temporal`); 1 for `channel`, which mixes no tokens. */
  positions: number;
  /** Channels of a group, S. */
  channels: number;
  /** [positions · positions], row-major: root mean square of the weights from input position j to output position i. */
  norms: number[];
  /** Root mean square of all weights. */
  rms: number;
  /** Fractions of the sum of squares on a position's own input, on earlier and on later inputs. */
  shares: { own: number; before: number; after: number };
}

/** Root mean square of a tensor by channel, over tokens and clips. */
export interface Norms {
  channels: Summary;
  /** Over all elements. */
  rms: number;
}

/** Norms of a part's output, also relative to the tensor to which it is added. */
export interface Contribution extends Norms {
  /** Its root mean square divided by that of the tensor to which it is added. */
  relative: number;
}

/** Norms of a block's activations. */
export interface BlockActivations extends BlockPlacement {
  /** The block's input x. */
  input: Norms;
  /** xt - x. It reaches the output through the spatial part alone: the residual starts at x. null for an image model. */
  temporal: Contribution | null;
  /** The spatial part's contribution to x. */
  spatial: Contribution;
  /** The MLP's contribution. */
  mlp: Contribution;
}

/** Saliency of a clip for its predicted class. */
export interface ClipSaliency {
  path: string;
  /** The true class; -1 if unknown. */
  label: number;
  /** The predicted class, whose logit was differentiated. */
  predicted: number;
  probability: number;
  /** Each frame's fraction of the summed gradient magnitude. */
  frames: number[];
  /** Gradient · input, summed over each frame; in logits. */
  contributions: number[];
}

/** How saliency was computed. */
export interface SaliencyStudy {
  /** Number of noisy copies whose gradients were averaged; 0 for the clip alone. */
  copies: number;
  /** Standard deviation of the noise, as a fraction of the range of a clip's values. */
  noise: number;
  clips: ClipSaliency[];
}

/** The effect of switching a part off, in one stage or in all. */
export interface Ablation {
  part: MixingPart;
  /** null for all stages. */
  stage: number | null;
  /** Correctly classified clips; null, like the following figures, if the clips have no labels. */
  correct: number | null;
  /** 95% confidence interval of that fraction (Wilson). */
  interval: [number, number] | null;
  /** Clips classified correctly only before. */
  lost: number | null;
  /** Clips classified correctly only now. */
  won: number | null;
  /** p-value of the difference (exact McNemar test, two-sided). */
  chance: number | null;
  /** Mean increase of the loss with its standard error (null for 1 clip). */
  loss: { rise: number; error: number | null } | null;
  /** Clips whose predicted class changes. */
  changed: number;
  /** Saved multiply-adds per view. */
  macs: number;
}

/** Ablations of all parts. */
export interface AblationStudy {
  clips: number;
  /** Treatment of the other branches' weights: unchanged, or scaled to a sum of 1. */
  others: 'kept' | 'renormalised';
  /** Multiply-adds per view of the whole model. */
  macs: number;
  /** Correctly classified clips of the unchanged model; null if the clips have no labels. */
  correct: number | null;
  interval: [number, number] | null;
  loss: number | null;
  off: Ablation[];
}

/** Findings about a trained model. Parts that need clips are null without clips. */
export interface LearnedStudy {
  /** Number of clips from which branch weights and activations were computed. */
  clips: number;
  weights: BranchWeights[] | null;
  activations: BlockActivations[] | null;
  matrices: MatrixNorms[];
  saliency: SaliencyStudy | null;
  ablation: AblationStudy | null;
  /** Pictures for the page; omitted from JSON. */
  pictures?: LearnedPictures;
}

/** A weight matrix as a picture: one pixel per weight, rows are outputs. */
export interface MatrixPicture {
  /** The weight's name. */
  name: string;
  /** A data URI. */
  image: string;
  /** The weight with full colour; larger ones are clipped. */
  limit: number;
}

/** A clip's frames and saliency overlays: data URIs with the same layout. */
export interface SaliencyPicture {
  frames: string;
  magnitude: string;
  contribution: string;
  /** Size of the pictures in pixels. */
  width: number;
  height: number;
  /** Indices of the drawn frames. */
  shown: number[];
}

/** Pictures for the page, omitted from JSON. */
export class LearnedPictures {
  constructor(
    readonly matrices: readonly MatrixPicture[],
    /** Names of the matrices that did not fit into `budget` bytes. */
    readonly leftOut: readonly string[],
    readonly budget: number,
    /** In the order of the clips of `SaliencyStudy`. */
    readonly saliency: readonly SaliencyPicture[],
    /** `MatrixNorms.norms` of the FCs that mix positions, one pixel per pair of positions. */
    readonly norms: readonly MatrixPicture[],
  ) {}

  /** Omits the pictures from JSON. */
  toJSON(): undefined {
    return undefined;
  }
}
