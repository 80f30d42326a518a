/** Lists of labelled files, as they are used after reading. */
import type { Source } from '../source';
import type { VideoInfo } from '../video/info';

/** A file and its class number. */
export interface LabelledFile {
  path: string;
  label: number;
  /** How to read it, where the file's name does not say. */
  source?: Source;
  /** Size, rate and length, where they are known. */
  info?: VideoInfo;
}

/** A list of files that exist, and what was found wrong with it. */
export interface Listing {
  /** The csv or the folder. */
  source: string;
  items: LabelledFile[];
  classNames: string[];
  /** Files that are listed and not there. */
  missing: string[];
  /** Lines that repeat a file with the same label; it is used once. */
  duplicates: number;
  /** Files that could not be read when the clips were prepared. */
  unreadable?: number;
  emptyClasses: string[];
  /** Notes for a person: how the list was read, what was left out. */
  notes: string[];
  /** SHA-256 over the listed paths (as they were listed) and labels: tells whether two runs saw the same list. */
  digest: string;
  /** For prepared clips: where each block of neighbours begins in `items`, and the end. */
  blocks?: number[];
}
