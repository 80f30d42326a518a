/**
 * The input of a report. The types match those of the training loop (`EpochRecord`, `Shares`, `Evaluation`, `Skipped`, `Clip`)
 * structurally, so that a run can be passed directly, without depending on the loop or the engine.
 * Accuracies and probabilities are in [0, 1]; unknown figures are null.
 */

/** A decoded clip: RGB bytes [frames, height, width, 3]. */
export interface ReportClip {
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
  /** The true class. */
  label: number;
  path: string;
}

/** A misclassified clip. */
export interface ReportMistake {
  clip: ReportClip;
  predicted: number;
  /** The probability of `predicted`. */
  probability: number;
  /** The frames drawn already, in place of the clip's pixels. */
  strip?: ReportStrip;
}

/** The frames of a clip as one picture. */
export interface ReportStrip {
  /** Base64. */
  png: string;
  width: number;
  height: number;
}

/** A picture of a segmentation with its masks, all of one size. */
export interface ReportSample {
  path: string;
  /** Share of right pixels among the labelled ones. */
  right: number;
  /** Whether it is shown for being among those with the fewest right pixels. */
  worst: boolean;
  height: number;
  width: number;
  /** RGB bytes [height, width, 3]. */
  pixels: Uint8Array;
  /** True classes [height, width], 255 for none. */
  truth: Uint8Array;
  /** Predicted classes [height, width]. */
  predicted: Uint8Array;
  /** The pictures drawn already, in place of the bytes. */
  drawn?: DrawnSample;
}

/** A sample as files: base64. */
export interface DrawnSample {
  /** JPEG */
  picture: string;
  /** PNG of classes in their colours. */
  truth: string;
  predicted: string;
  /** PNG of wrong, right and unlabelled pixels. */
  errors: string;
  /** Classes that occur in truth or prediction, ascending. */
  classes: number[];
}

/** One training step. */
export interface StepPoint {
  /** Step number from 1 over the whole run. */
  step: number;
  /** Epochs completed after the step: 1.5 is the middle of the second epoch. */
  epoch: number;
  loss: number;
  accuracy?: number | null;
  learningRate: number;
}

/** One epoch. */
export interface EpochPoint {
  /** Epoch number from 1. */
  epoch: number;
  learningRate: number;
  trainLoss: number;
  trainTop1: number;
  valLoss: number | null;
  valTop1: number | null;
  valTop5: number | null;
  /** Seconds of training without evaluation. */
  seconds: number;
  /** Validation clips that could not be read; absent if there are none. */
  valMissed?: number;
}

/** The evaluation of the checkpoint. */
export interface ReportEvaluation {
  clips: number;
  loss: number;
  top1: number;
  top5: number;
  /** [true class][predicted class], counts of clips */
  confusion: readonly (readonly number[])[];
  mistakes: readonly ReportMistake[];
  /** Of a segmentation. */
  samples?: readonly ReportSample[];
  /** Clips × crops per video, if several views were averaged. */
  views?: { clips: number; crops: number };
}

/** Milliseconds spent in the parts of all steps. */
export interface TimeShares {
  /** Waiting for data. */
  data: number;
  forward: number;
  backward: number;
  optimizer: number;
  /** Waiting for other ranks; absent or 0 for a process on its own. */
  ranks?: number;
}

/** An unreadable file with the reason. */
export interface SkippedFile {
  name: string;
  reason: string;
}

/** Named facts, such as a dataset's manifest or versions. */
export type Facts = Readonly<Record<string, string | number>>;

/** Plain data from a configuration file. */
export type ConfigValue =
  string | number | boolean | null | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };

/** All data of a training run's report. */
export interface RunReport {
  /** The name of the run, usually its folder. */
  title: string;
  status: 'running' | 'finished' | 'interrupted' | 'failed';
  /** ISO 8601 */
  startedAt: string;
  /** Wall-clock time of the whole run, including resumed parts. */
  seconds: number;
  /** The command line that reproduces the run. */
  command?: string;
  model: {
    name: string;
    /** `segment`: top1 of the evaluation and of epochs is the mean IoU, trainTop1 and top5 are shares of right pixels. */
    task?: 'segment';
    parameters: number;
    /** Multiply-adds of one forward pass of one view. */
    macs: number;
    /** Size of one view, for example `16 × 224 × 224`. */
    input: string;
  };
  /** Device (`cpu` or `cuda`), kernels (`avx512`) and threads. */
  device: { name: string; kernels?: string; threads?: number };
  /** Program versions and the commit. */
  versions: Facts;
  /** The manifests of the data: source, hash, counts, missing files. */
  data: { train: Facts; val: Facts | null };
  classNames: readonly string[];
  /** May be empty: curves are then by epoch only. */
  steps: readonly StepPoint[];
  epochs: readonly EpochPoint[];
  /** The checkpoint that the headline and all tables are about, with its epoch. Default: the first epoch with the highest accuracy. */
  checkpoint?: { file: string; epoch: number } | null;
  /** Evaluation of the checkpoint; null without one, or if it was before a resume and is not repeated yet. */
  evaluation: ReportEvaluation | null;
  shares: TimeShares;
  config: { readonly [key: string]: ConfigValue };
  skipped: readonly SkippedFile[];
  /** Files that were read in part. */
  damaged?: readonly SkippedFile[];
  /** Warnings of the run. */
  warnings?: readonly string[];
  /** Files written by the run: name and path. */
  files?: Readonly<Record<string, string>>;
}
