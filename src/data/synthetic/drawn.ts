/** The sets of clips that are drawn from a seed, by name. */
import { checkFilm, film, FILM_CLASSES, filmLabels, filmTargets } from './films';
import type { DrawnOptions } from './drawn_options';
import { checkMotion, motionClip, MOTION_CLASSES, motionLabel } from './motion';

export type { DrawnOptions } from './drawn_options';

interface Drawing {
  classNames: readonly string[];
  /** Numbers of clips for training and validation, unless the user gives one. */
  sizes: { train: number; val: number };
  /** Class of clip `index`. */
  label(index: number): number;
  /** Soft targets of clip `index`, where it has several labels; `label` is the first of them. */
  targets?(index: number): Float32Array;
  /** @throws if an option is out of its range */
  check(options: DrawnOptions): void;
  /** Clip `index`: u8 [frames, size, size, 3]. The same options and index always give the same bytes. */
  pixels(index: number, options: DrawnOptions): Uint8Array;
}

/** `motion` teaches in a minute, for the quick start; `films` is for pretraining. */
export const DRAWN = {
  motion: {
    classNames: MOTION_CLASSES,
    sizes: { train: 768, val: 256 },
    label: motionLabel,
    check: checkMotion,
    pixels: (index, options) => motionClip(index, options).pixels,
  },
  films: {
    classNames: FILM_CLASSES,
    sizes: { train: 40_000, val: 648 },
    label: (index) => filmLabels(index)[0],
    targets: filmTargets,
    check: checkFilm,
    pixels: (index, options) => film(index, options),
  },
} satisfies Record<string, Drawing>;

export type DrawnSet = keyof typeof DRAWN;

/** A set by its name. */
export const drawing = (set: DrawnSet): Drawing => DRAWN[set];
