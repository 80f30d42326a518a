/** The results of `morphmlp study`: the contract of its JSON and of the page's sections. */
import type { Machine } from '../bench/machine';
import type { Cost } from './cost';
import type { LearnedStudy } from './learned_types';
import type { Mixing } from './mixing';
import type { StudyModel } from './subject';

/** A whole study. Parts that were not requested are absent. */
export interface Study {
  model: StudyModel;
  machine: Machine;
  cost?: Cost;
  mixing?: Mixing;
  /** Absent for random weights, which have learned nothing. */
  learned?: LearnedStudy;
  /** The second checkpoint, if two are studied side by side. */
  against?: { checkpoint: string; learned: LearnedStudy };
}
