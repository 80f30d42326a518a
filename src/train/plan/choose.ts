/**
 * A training plan for a person's own files: each setting that was not given, with one reason. The figures behind the choices
 * are in docs/training.md.
 */
import { VARIANTS } from '../../models/config';
import { amount, significant } from '../../terminal/format';
import type { KeyName } from '../config/keys';
import { cropKeys, modelKeys } from '../config/model_keys';
import type { SetFacts } from './facts';

/** A choice: its name, what was chosen, why, and the configuration keys that it sets. */
export interface Choice {
  name: string;
  text: string;
  why: string;
  settings: Partial<Record<KeyName, unknown>>;
}

/** Settings that the user gave, which a plan does not touch. */
export interface Given {
  has(key: KeyName): boolean;
  /** Frames of a clip and frames a second that a rate counts, as they are in the configuration. */
  frames: number;
  targetFps: number;
}

/** Number of clips from which a larger model is trained, its name, and its learning rate. */
const MODELS: readonly { from: number; name: string; lr: number }[] = [
  { from: 0, name: 'quickstart', lr: 6e-4 },
  { from: 3000, name: 'video-2m', lr: 4e-4 },
  { from: 20_000, name: 'video-8m', lr: 3e-4 },
];

/** For pictures. */
const IMAGE_MODEL = { name: 'quickstart-image', lr: 2e-3 };

/** Pictures per step: they are small, and a step of 8 would be mostly overhead. */
const PICTURE_BATCH = 32;

function chooseModel({ clips, kind }: SetFacts, given: Given): Choice[] {
  if (given.has('MORPH.LAYERS')) return [];
  const { name, lr } = kind === 'pictures' ? IMAGE_MODEL : MODELS.findLast(({ from }) => clips >= from)!;
  const { crop, config } = VARIANTS[name]!;
  const sized = given.has('DATA.TRAIN_CROP_SIZE') ? {} : cropKeys(crop);
  const text = `${name}, ${config.frames > 1 ? `${config.frames} frames of ` : ''}${crop}x${crop}`;
  const why = `${amount(clips, kind === 'pictures' ? 'picture' : 'clip')} to learn from (--model)`;
  const rate = given.has('SOLVER.BASE_LR') ? {} : { 'SOLVER.BASE_LR': lr };
  return [{ name: 'model', text, why, settings: { ...modelKeys(name), ...sized, ...rate } }];
}

/** Longest time that a clip spans: beyond it, 16 frames are too far apart to see a movement. */
const LONGEST = 8;

/** Share of a video that a clip spans, so that its start can be drawn. */
const SPAN = 0.85;

/** Clips per step, unless a set has fewer than two such steps: the batch of configs/own.yaml. */
const BATCH = 8;

function chooseBatch({ kind, clips }: SetFacts, given: Given): Choice[] {
  if (clips < 2 * BATCH && !given.has('TRAIN.BATCH_SIZE') && !given.has('RUN.MICRO_BATCH')) {
    const size = Math.max(1, Math.floor(clips / 2));
    const why = `there are only ${amount(clips, 'file')} (--batch-size)`;
    return [{ name: 'batch', text: String(size), why, settings: { 'TRAIN.BATCH_SIZE': size } }];
  }
  if (kind === 'videos' || clips < 10 * PICTURE_BATCH || given.has('TRAIN.BATCH_SIZE')) return [];
  const why = 'pictures are small (--batch-size)';
  return [{ name: 'batch', text: String(PICTURE_BATCH), why, settings: { 'TRAIN.BATCH_SIZE': PICTURE_BATCH } }];
}

function chooseRate({ seconds, shortSeconds, kind }: SetFacts, given: Given): Choice[] {
  if (kind === 'pictures' || given.has('DATA.SAMPLING_RATE') || given.has('RUN.SAMPLING')) return [];
  const span = Math.min(LONGEST, SPAN * seconds);
  const rate = Math.max(1, Math.round((span * given.targetFps) / given.frames));
  const spans = (rate * given.frames) / given.targetFps;
  const text = `one each ${significant(rate / given.targetFps, 2)} s: a clip spans ${significant(spans, 2)} s`;
  const short = shortSeconds < 0.5 * seconds ? `, some of only ${significant(shortSeconds, 2)} s` : '';
  const why = `videos of ${significant(seconds, 2)} s${short} (--rate)`;
  return [{ name: 'frames', text, why, settings: { 'DATA.SAMPLING_RATE': rate } }];
}

/** Words of class names that a mirror exchanges. */
const MIRRORED =
  /(^|[^a-z])(left|right|links|rechts|clockwise|anticlockwise|counterclockwise|cw|ccw|gauche|droite|east|west)([^a-z]|$)/i;

function chooseFlip({ classNames }: SetFacts, given: Given): Choice[] {
  if (given.has('DATA.RANDOM_FLIP')) return [];
  const name = classNames.find((one) => MIRRORED.test(one.replaceAll('_', ' ')));
  const why = name
    ? `a mirror would make class ${name} another (--flip)`
    : 'classes may differ by direction, which names do not always show (--flip if they do not)';
  return [{ name: 'mirror', text: 'no clip', why, settings: { 'DATA.RANDOM_FLIP': false } }];
}

function chooseBalance({ smallest, largest }: SetFacts, given: Given): Choice[] {
  if (given.has('RUN.BALANCE') || largest < 2 * smallest) return [];
  const why = `classes of ${smallest} to ${amount(largest, 'file')} (--balance)`;
  return [{ name: 'classes', text: 'weighted in the loss', why, settings: { 'RUN.BALANCE': 'weights' } }];
}

/** Every choice but those of time: see `planTime`. */
export function choose(facts: SetFacts, given: Given): Choice[] {
  return [
    ...chooseModel(facts, given),
    ...chooseBatch(facts, given),
    ...chooseRate(facts, given),
    ...chooseFlip(facts, given),
    ...chooseBalance(facts, given),
  ];
}

/** Epochs for a set of this size: small sets need more passes over each clip. */
const wantedEpochs = (clips: number): number => Math.min(100, Math.round(25 + 6000 / clips));

/** Fewest epochs that a time limit leaves. */
const FEWEST = 5;

/** What a run takes beyond the steps of training: validation and bookkeeping. */
const BEYOND = 1.2;

/** What the time of a run depends on. `perClip`: measured seconds of training per clip; `budget`: most seconds of training. */
export interface Timing {
  has(key: KeyName): boolean;
  perClip: number;
  budget: number;
  /** Epochs of the configuration, for a person who gave them. */
  epochs: number;
}

/** Epochs that fit the time, and the seconds that they take. */
export function planTime(
  { clips }: SetFacts,
  { has, perClip, budget, epochs }: Timing,
): { choices: Choice[]; seconds: number } {
  const each = clips * perClip * BEYOND;
  if (has('SOLVER.MAX_EPOCH')) return { choices: [], seconds: epochs * each };
  const wanted = wantedEpochs(clips);
  const fitting = Math.max(FEWEST, Math.floor(budget / each));
  const fits = fitting >= wanted;
  const why = fits
    ? 'small sets need many passes (--epochs)'
    : `what fits in the time of --time; ${wanted} would be better (--epochs)`;
  const text = String(Math.min(wanted, fitting));
  const settings = { 'SOLVER.MAX_EPOCH': Number(text) };
  return { choices: [{ name: 'epochs', text, why, settings }], seconds: Number(text) * each };
}
