/** The jobs and messages exchanged with the child process that runs plugins. */
import type { MorphMlpConfig } from '../../models/config';
import type { Device, Precision } from '../../core/native';
import type { PluggableOp } from '../../core/plugins';
import type { KernelOptions, KernelRow } from './measure';
import type { CaseChoice } from './ops';

/** Loads a plugin and describes it. */
export interface DescribeJob {
  file: string;
}

/** A plugin's description of itself. */
export interface PluginDescription {
  op: PluggableOp;
  device: Device;
  backward: boolean;
  flags: string;
  /** Types of activations that it takes. */
  dtypes: Precision[];
  /** Its tuning parameters, each with the values to try. */
  parameters: { name: string; values: number[] }[];
  /** The value of each: that of its `.tuned.json`, or the default. */
  values: Readonly<Record<string, number>>;
}

/** Verifies plugins of one op at one stage, and times them. */
export interface KernelJob extends CaseChoice {
  plugins: readonly string[];
  device: Device;
  /** Seed of the random inputs. */
  seed: number;
  /** How to time them together with our kernel and its peers; null verifies them only. */
  time: Omit<KernelOptions, 'onStep' | 'onFailure' | 'seed'> | null;
  /** Time the plugins beside our kernel alone, without the BLAS libraries and the naive kernel. */
  withoutPeers?: boolean;
  threads: number;
}

/** Errors of one plugin against float64; `gradient` is null if it has no backward. */
export interface VerifiedPlugin {
  plugin: string;
  forward: number;
  gradient: number | null;
}

/** A kernel that failed: a plugin by its file, one of ours or a library's by its name. */
export interface Failure {
  plugin: string;
  /** The op and stage at which it failed; empty if it failed earlier. */
  at: string;
  problem: string;
}

/** The result of a `KernelJob`. */
export interface KernelResult {
  rows: KernelRow[];
  failures: Failure[];
  checked: VerifiedPlugin[];
}

/** Verifies a plugin with the last of `values` of its parameters, and times it with all of them in turn. */
export interface TrialJob extends CaseChoice {
  file: string;
  values: readonly Readonly<Record<string, number>>[];
  device: Device;
  seed: number;
  rounds: number;
  threads: number;
}

/** Compares a model that uses plugins with the same model on our kernels, for a clip of crop × crop pixels. */
export interface ModelJob {
  model: MorphMlpConfig;
  crop: number;
  plugins: readonly string[];
  device: Device;
  seed: number;
  threads: number;
}

/** Relative errors of a model's logits and of the gradient that differs most. */
export interface ModelErrors {
  logits: number;
  gradient: number;
  /** The parameter of that gradient. */
  worst: string;
}

/** The kinds of jobs with their results. */
export interface Jobs {
  describe: { job: DescribeJob; result: PluginDescription };
  kernel: { job: KernelJob; result: KernelResult };
  /** Milliseconds of each round, by values and direction. */
  trial: { job: TrialJob; result: number[][][] };
  model: { job: ModelJob; result: ModelErrors };
}

/** The current activity. */
export interface Activity {
  doing: string;
  /** The plugin to which a crash is attributed: the one that runs, or ran last; null before any has run. */
  plugin: string | null;
  /** The activity is the plugin's own, so that the timeout governs it. */
  limited: boolean;
}

/** The outcome of a job. */
export type Outcome<T> = { result: T } | { problem: string; plugin: string | null };

/** A message from the child process: one line of JSON. */
export type Message<T> = Activity | Outcome<T>;
