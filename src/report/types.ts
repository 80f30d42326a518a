/**
 * What a report is made from. The shapes fit what the training loop keeps (`EpochRecord`, `Shares`, `Evaluation`,
 * `Skipped`, `Clip`), so that a run can be handed over as it is; nothing here depends on the loop or on the engine.
 * Accuracies and probabilities are shares in [0, 1]; a figure that is not known is null.
 */

/** A decoded clip: bytes [frames, height, width, 3], red green blue. */
export interface ReportClip {
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
  /** The true class. */
  label: number;
  path: string;
}

/** A clip that was taken for another class. */
export interface ReportMistake {
  clip: ReportClip;
  predicted: number;
  /** The probability given to `predicted`. */
  probability: number;
}

/** One training step. */
export interface StepPoint {
  /** Counted from 1 over the whole run. */
  step: number;
  /** Epochs done after the step, as a fraction: 1.5 is the middle of the second epoch. */
  epoch: number;
  loss: number;
  accuracy?: number | null;
  learningRate: number;
}

/** One epoch. */
export interface EpochPoint {
  /** Counted from 1. */
  epoch: number;
  learningRate: number;
  trainLoss: number;
  trainTop1: number;
  valLoss: number | null;
  valTop1: number | null;
  valTop5: number | null;
  /** Of training alone. */
  seconds: number;
}

/** The last evaluation. */
export interface ReportEvaluation {
  clips: number;
  loss: number;
  top1: number;
  top5: number;
  /** [true class][predicted class], counts of clips */
  confusion: readonly (readonly number[])[];
  mistakes: readonly ReportMistake[];
  /** Clips × crops a video, where more than one view was averaged. */
  views?: { clips: number; crops: number };
}

/** Milliseconds spent on the parts of all steps. */
export interface TimeShares {
  /** Waiting for data. */
  data: number;
  forward: number;
  backward: number;
  optimizer: number;
}

/** A file that could not be read, and why. */
export interface SkippedFile {
  name: string;
  reason: string;
}

/** Facts as a list of names and values: a dataset's manifest, versions. */
export type Facts = Readonly<Record<string, string | number>>;

/** Plain data, as it stands in a configuration file. */
export type ConfigValue =
  string | number | boolean | null | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };

/** Everything a report of a training run shows. */
export interface RunReport {
  /** The name of the run, such as its folder. */
  title: string;
  status: 'finished' | 'interrupted' | 'failed';
  /** ISO 8601 */
  startedAt: string;
  /** Wall-clock time of the whole run, resumed parts included. */
  seconds: number;
  /** The command line that repeats the run. */
  command?: string;
  model: {
    name: string;
    parameters: number;
    /** Multiply-adds of one forward pass of one view. */
    macs: number;
    /** Of one view, such as `16 × 224 × 224`. */
    input: string;
  };
  /** Where it ran: `cpu` or `cuda`, which kernels (`avx512`), how many threads. */
  device: { name: string; kernels?: string; threads?: number };
  /** Program versions, the commit. */
  versions: Facts;
  /** The manifests of the data: source, hash, counts, what is missing. */
  data: { train: Facts; val: Facts | null };
  classNames: readonly string[];
  /** May be empty: the curves then go by epoch alone. */
  steps: readonly StepPoint[];
  epochs: readonly EpochPoint[];
  evaluation: ReportEvaluation | null;
  shares: TimeShares;
  config: { readonly [key: string]: ConfigValue };
  skipped: readonly SkippedFile[];
  /** What the run warned of. */
  warnings?: readonly string[];
  /** Files the run has left: name and path. */
  files?: Readonly<Record<string, string>>;
}
