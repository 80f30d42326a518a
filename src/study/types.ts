/** What `morphmlp study` finds out: the contract of its JSON and of the page's sections. */
import type { Machine } from '../bench/machine';
import type { MorphMlpConfig } from '../models/config';
import type { Cost } from './cost';
import type { LearnedStudy } from './learned_types';
import type { Mixing } from './mixing';

/** The model that was studied, and what it was shown. */
export interface StudyModel {
  /** The variant, or the checkpoint's file name. */
  name: string;
  /** The file of the weights; null for random ones. */
  checkpoint: string | null;
  config: MorphMlpConfig;
  parameters: number;
  /** Multiply-adds of one forward pass of one clip. */
  macs: number;
  /** Side of the square frames, in pixels. */
  crop: number;
  classNames: readonly string[];
  /** The clips it was shown; none where it was studied without data. */
  clips: readonly { path: string; label: number }[];
}

/** All of a study. A part that was not asked for is not there. */
export interface Study {
  model: StudyModel;
  machine: Machine;
  cost?: Cost;
  mixing?: Mixing;
  learned?: LearnedStudy;
}

/** Called as a part goes on: how much of all is done, and what is being done. */
export type Tell = (done: number, total: number, doing: string) => void;
