/** What a process of its own is asked to do with plugins, and what it says. */
import type { MorphMlpConfig } from '../../models/config';
import type { Device } from '../../core/native';
import type { PluggableOp } from '../../core/plugins';
import type { KernelOptions, KernelRow } from './measure';

/** A plugin to be asked what it is. */
export interface Question {
  describe: string;
}

/** What a plugin says of itself. */
export interface Answer {
  op: PluggableOp;
  /** What it runs on. */
  device: Device;
  backward: boolean;
  flags: string;
}

/** One op at one stage, with plugins by file: to be held to float64, and to be ranked. */
export interface KernelJob {
  op: string;
  stage: number;
  plugins: readonly string[];
  /** Where; the plugins are for it. */
  device: Device;
  /** Of the random numbers. */
  seed: number;
  /** Rank them beside our kernel and its peers; or only hold them to float64. */
  time: Omit<KernelOptions, 'onStep' | 'seed'> | null;
  threads: number;
}

/** Errors of one plugin against float64; the gradient's is null where it has no backward. */
export interface Checked {
  plugin: string;
  forward: number;
  gradient: number | null;
}

/** What came of a `KernelJob`. */
export interface KernelResult {
  rows: KernelRow[];
  checked: Checked[];
}

/** A model in which plugins stand in for its ops: to be held to the same model with our kernels, on a clip of this size. */
export interface ModelJob {
  model: MorphMlpConfig;
  crop: number;
  plugins: readonly string[];
  device: Device;
  seed: number;
  threads: number;
}

/** Relative errors of a model's logits, and of the worst parameter's gradient. */
export interface Agreement {
  logits: number;
  gradient: number;
  worst: string;
}

/** What a process may be asked, and what each is answered with. */
export interface Jobs {
  question: { job: Question; result: Answer };
  kernel: { job: KernelJob; result: KernelResult };
  model: { job: ModelJob; result: Agreement };
}

/** What runs now, and of which plugin; null where it is none's. */
export interface Doing {
  doing: string;
  plugin: string | null;
}

/** How a job ended. */
export type Outcome<T> = { result: T } | { problem: string; plugin: string | null };

/** One line from the process. */
export type Line<T> = Doing | Outcome<T>;
