/** What `morphmlp study` finds out about what a model has learned: the part of its JSON under `learned`. */

/** A mixing FC of a block. Stage 4 has no width branch; its height branch takes tokens row by row, in strided order. */
export type MixingPart = 'height' | 'width' | 'channel' | 'temporal';

/** A block by its name in the weights' file, such as `blocks3.4`, and its stage. */
export interface BlockPlacement {
  block: string;
  stage: number;
}

/** Least, lower quartile, median, upper quartile, most, and the mean. */
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
    /** Over the channels, of the means over the clips. The means of a block's branches add up to 1. */
    channels: Summary;
    /** How far a channel's weight differs from clip to clip: its standard deviation, root mean square of the channels; null for 1 clip. */
    clipDeviation: number | null;
    /** Channels for which this branch has the largest weight, as a share. */
    leading: number;
  }[];
}

/** An FC that mixes tokens, cut into the blocks that its rows and columns are made of. */
export interface MatrixNorms extends BlockPlacement {
  part: MixingPart;
  /** The weight's name. */
  name: string;
  /** Rows, which equal the columns: positions · channels. */
  size: number;
  /** Chunk positions L (`height`, `width`) or time steps T (`temporal`); 1 for `channel`, which mixes no tokens. */
  positions: number;
  /** Channels of a group, S. */
  channels: number;
  /** [positions · positions], row by row: the root mean square weight with which output position i listens to input position j. */
  norms: number[];
  /** Of all weights. */
  rms: number;
  /** How the sum of squares is shared: a position's own input, those before it, those after it. */
  shares: { own: number; before: number; after: number };
}

/** The size of a tensor: its root mean square by channel, over tokens and clips. */
export interface Norms {
  channels: Summary;
  /** Over everything. */
  rms: number;
}

/** What a part adds, and how large that is beside what it is added to. */
export interface Contribution extends Norms {
  /** Its root mean square over that of what it is added to. */
  relative: number;
}

/** How large the activations of a block are. */
export interface BlockActivations extends BlockPlacement {
  /** The block's input x. */
  input: Norms;
  /** xt - x. It reaches the output through the spatial part alone: the residual starts at x. null for an image model. */
  temporal: Contribution | null;
  /** What the spatial part adds to x. */
  spatial: Contribution;
  /** What the MLP adds. */
  mlp: Contribution;
}

/** Where a clip's class comes from. */
export interface ClipSaliency {
  path: string;
  /** The true class; -1 where none is known. */
  label: number;
  /** The class whose logit was differentiated: the one the model says. */
  predicted: number;
  probability: number;
  /** Of the sum of the gradient's magnitude, the share of each frame. */
  frames: number[];
  /** Gradient · input, summed over each frame; in logits. */
  contributions: number[];
}

/** How saliency was computed. */
export interface SaliencyStudy {
  /** Copies of a clip whose gradients were averaged; 0 for the clip alone. */
  copies: number;
  /** Standard deviation of the copies' noise, as a share of the range of a clip's values. */
  noise: number;
  clips: ClipSaliency[];
}

/** What happens when a part is switched off, in one stage or in all. */
export interface Ablation {
  part: MixingPart;
  /** null for all stages. */
  stage: number | null;
  /** Clips that are classified correctly. null, as are the next three, where the clips have no labels. */
  correct: number | null;
  /** That share's 95% confidence interval (Wilson). */
  interval: [number, number] | null;
  /** Clips that were right before and are wrong now, and the reverse. */
  lost: number | null;
  won: number | null;
  /** Chance of a difference of this size where there is none (exact McNemar test, two-sided). */
  chance: number | null;
  /** Mean rise of the loss, with its standard error (null for 1 clip). */
  loss: { rise: number; error: number | null } | null;
  /** Clips that get another class than before. */
  changed: number;
  /** Multiply-adds of a view that are saved. */
  macs: number;
}

/** What the parts are worth. */
export interface AblationStudy {
  clips: number;
  /** What becomes of the other branches' weights: they stay, or are scaled so that they add up to 1 again. */
  others: 'kept' | 'renormalised';
  /** Multiply-adds of a view of the whole model. */
  macs: number;
  /** With nothing switched off; null where the clips have no labels. */
  correct: number | null;
  interval: [number, number] | null;
  loss: number | null;
  off: Ablation[];
}

/** What a model has learned. Parts that need clips are null without any. */
export interface LearnedStudy {
  /** Clips that weights of the branches and activations were taken from. */
  clips: number;
  weights: BranchWeights[] | null;
  activations: BlockActivations[] | null;
  matrices: MatrixNorms[];
  saliency: SaliencyStudy | null;
  ablation: AblationStudy | null;
  /** For the page; JSON leaves them out. */
  pictures?: LearnedPictures;
}

/** A matrix of weights as a picture: one pixel a weight, rows are outputs. */
export interface MatrixPicture {
  /** The weight's name. */
  name: string;
  /** A data URI. */
  image: string;
  /** The weight that has the full colour; larger ones have it too. */
  limit: number;
}

/** A clip's frames, and what its class comes from drawn over them: data URIs of one layout. */
export interface SaliencyPicture {
  frames: string;
  magnitude: string;
  contribution: string;
  /** Of the pictures, in pixels. */
  width: number;
  height: number;
  /** The frames that are drawn. */
  shown: number[];
}

/** What the page shows and the JSON leaves out. */
export class LearnedPictures {
  constructor(
    readonly matrices: readonly MatrixPicture[],
    /** Names of the matrices that had no room within `budget` bytes. */
    readonly leftOut: readonly string[],
    readonly budget: number,
    /** In the order of the clips of `SaliencyStudy`. */
    readonly saliency: readonly SaliencyPicture[],
    /** `MatrixNorms.norms` of the FCs that mix positions, one pixel a pair of them. */
    readonly norms: readonly MatrixPicture[],
  ) {}

  /** Leaves them out of JSON. */
  toJSON(): undefined {
    return undefined;
  }
}
