/** What a process of its own is asked to do with plugins, and what it says. */
import type { PluggableOp } from '../plugins';
import type { KernelOptions, KernelRow } from './kernels';

/** A plugin to be asked what it is. */
export interface Question {
  describe: string;
}

/** What a plugin says of itself. */
export interface Answer {
  op: PluggableOp;
  backward: boolean;
  flags: string;
}

/** Work for one process: one op at one stage. */
export interface Job {
  op: string;
  stage: number;
  /** Libraries, by file. */
  plugins: readonly string[];
  /** Rank them beside our kernel and the naive one; or only hold them to float64. */
  time: Omit<KernelOptions, 'onStep'> | null;
  threads: number;
}

/** What runs now, and of which plugin; null where it is none's. */
export interface Doing {
  doing: string;
  plugin: string | null;
}

/** How a job ended. */
export type Outcome = { rows: KernelRow[] } | { answer: Answer } | { problem: string; plugin: string | null };

/** One line from the process. */
export type Line = Doing | Outcome;
