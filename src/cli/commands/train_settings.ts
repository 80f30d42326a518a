/** Builds the configuration of `morphmlp train`: defaults, preset or file, flags, then KEY VALUE pairs. */
import { existsSync } from 'node:fs';
import os from 'node:os';
import {
  defaults,
  overrideSettings,
  presetSettings,
  readSettings,
  withoutEffect,
  withSettings,
  type Setting,
} from '../../train/config/config';
import type { Config, KeyName } from '../../train/config/keys';
import { VARIANTS } from '../../models/config';
import { classFor, cropKeys, modelKeys } from '../../train/config/model_keys';
import { runFiles } from '../../train/run_files';

/** Flags of `morphmlp train` that set configuration keys; flags that were not given are absent. */
export interface TrainFlags {
  cfg?: string;
  preset?: string;
  data?: string;
  val?: string;
  separator?: string;
  task?: string;
  reduceZeroLabel?: boolean;
  model?: string;
  frames?: number;
  rate?: number;
  crop?: number;
  flip?: boolean;
  augment?: boolean;
  init?: string;
  resetHead?: boolean;
  inflate?: string;
  epochs?: number;
  batchSize?: number;
  microBatch?: number;
  lr?: number;
  endLr?: number;
  warmupEpochs?: number;
  weightDecay?: number;
  labelSmoothing?: number;
  dropPath?: number;
  clipNorm?: number;
  ema?: number;
  evalEvery?: number;
  freeze?: string | true;
  layerDecay?: number;
  balance?: string;
  patience?: number;
  sampling?: string;
  seed?: number;
  workers?: number;
  threads?: number;
  plugin?: string[];
  memoryBudget?: string;
  cacheMemory?: string;
  device?: string;
  precision?: string;
  cudaGraph?: boolean;
  reduction?: string;
  syncBn?: boolean;
  out?: string;
  resume?: boolean;
}

/** Flags that are aliases of one key. */
const SAME: Readonly<Partial<Record<keyof TrainFlags, KeyName>>> = {
  data: 'RUN.TRAIN_DATA',
  val: 'RUN.VAL_DATA',
  separator: 'DATA.PATH_LABEL_SEPARATOR',
  reduceZeroLabel: 'RUN.REDUCE_ZERO_LABEL',
  rate: 'DATA.SAMPLING_RATE',
  flip: 'DATA.RANDOM_FLIP',
  init: 'TRAIN.CHECKPOINT_FILE_PATH',
  resetHead: 'RUN.RESET_HEAD',
  inflate: 'RUN.INFLATE',
  epochs: 'SOLVER.MAX_EPOCH',
  batchSize: 'TRAIN.BATCH_SIZE',
  microBatch: 'RUN.MICRO_BATCH',
  lr: 'SOLVER.BASE_LR',
  endLr: 'SOLVER.COSINE_END_LR',
  warmupEpochs: 'SOLVER.WARMUP_EPOCHS',
  weightDecay: 'SOLVER.WEIGHT_DECAY',
  labelSmoothing: 'RUN.LABEL_SMOOTHING',
  dropPath: 'MORPH.DROP_DEPTH_RATE',
  clipNorm: 'SOLVER.CLIP_GRADIENT',
  ema: 'RUN.EMA_DECAY',
  evalEvery: 'TRAIN.EVAL_PERIOD',
  layerDecay: 'RUN.LAYER_DECAY',
  balance: 'RUN.BALANCE',
  patience: 'RUN.PATIENCE',
  sampling: 'RUN.SAMPLING',
  seed: 'RNG_SEED',
  workers: 'DATA_LOADER.NUM_WORKERS',
  threads: 'RUN.THREADS',
  plugin: 'RUN.PLUGINS',
  memoryBudget: 'RUN.MEMORY_BUDGET',
  cacheMemory: 'RUN.CACHE_MEMORY',
  device: 'RUN.DEVICE',
  precision: 'RUN.PRECISION',
  cudaGraph: 'RUN.CUDA_GRAPH',
  reduction: 'RUN.REDUCTION',
  syncBn: 'RUN.SYNC_BN',
  out: 'OUTPUT_DIR',
};

type Values = Partial<Record<KeyName, unknown>>;

/** Keys of the recipes' strong augmentation. */
const AUGMENTED: Values = {
  'AUG.ENABLE': true,
  'AUG.AA_TYPE': 'rand-m7-n4-mstd0.5-inc1',
  'DATA.TRAIN_JITTER_SCALES_RELATIVE': [0.08, 1],
  'DATA.TRAIN_JITTER_ASPECT_RELATIVE': [0.75, 1.3333],
  'MIXUP.ENABLE': true,
  'MODEL.LOSS_FUNC': 'soft_cross_entropy',
};

/** Segmentation is of pictures. */
const IMAGES: Values = { 'MODEL.MODEL_NAME': 'MorphMLP_image', 'DATA.NUM_FRAMES': 1, 'TEST.ENABLE': false };

function flagSettings(flags: TrainFlags): Setting[] {
  const settings: Setting[] = [];
  const add = (flag: string, values: Values) => {
    for (const [key, value] of Object.entries(values)) settings.push({ key, value, where: flag });
  };
  if (flags.task !== undefined) add('--task', { 'RUN.TASK': flags.task });
  if (flags.task === 'segment') add('--task', IMAGES);
  if (flags.model !== undefined)
    add('--model', { ...modelKeys(flags.model), ...cropKeys(VARIANTS[flags.model]!.crop) });
  if (flags.frames !== undefined)
    add('--frames', { 'DATA.NUM_FRAMES': flags.frames, 'MODEL.MODEL_NAME': classFor(flags.frames) });
  if (flags.crop !== undefined) add('--crop', cropKeys(flags.crop));
  if (flags.augment) add('--augment', AUGMENTED);
  if (flags.freeze !== undefined) add('--freeze', { 'RUN.FREEZE': flags.freeze === true ? 'all' : flags.freeze });
  for (const [flag, key] of Object.entries(SAME)) {
    const value = flags[flag as keyof TrainFlags];
    if (value !== undefined) add(`--${flag}`, { [key]: value });
  }
  return settings;
}

/** Limits the warm-up to a sixth of the epochs: the default of 10 suits 60 epochs, not 5. */
function fitWarmup(config: Config, settings: readonly Setting[]): Config {
  if (settings.some(({ key }) => key === 'SOLVER.WARMUP_EPOCHS')) return config;
  const warmup = Math.min(config['SOLVER.WARMUP_EPOCHS'], config['SOLVER.MAX_EPOCH'] / 6);
  return { ...config, 'SOLVER.WARMUP_EPOCHS': warmup };
}

/** Scales the short side of test frames with `--crop`, so that the crop shows the same part of a frame as the recipe's. */
function fitTestScale(config: Config, recipe: Config, settings: readonly Setting[]): Config {
  if (settings.some(({ key }) => key === 'RUN.TEST_SCALE')) return config;
  const scale = config['DATA.TEST_CROP_SIZE'] / recipe['DATA.TEST_CROP_SIZE'];
  return { ...config, 'RUN.TEST_SCALE': Math.round(recipe['RUN.TEST_SCALE'] * scale) };
}

/** Default recipe for the user's clips, if neither a file nor a preset is given. */
const OWN = 'own';

/** The configuration file of the run that `--resume` continues; undefined if a recipe is named or there is none. */
function resumedConfig({ resume, cfg, preset, out }: TrainFlags, given: readonly Setting[]): string | undefined {
  if (!resume || cfg !== undefined || preset !== undefined) return undefined;
  const folder = out ?? given.findLast(({ key }) => key === 'OUTPUT_DIR')?.value ?? presetOut();
  const file = runFiles(String(folder)).config;
  return existsSync(file) ? file : undefined;
}

const presetOut = (): unknown => withSettings(defaults(), presetSettings(OWN))['OUTPUT_DIR'];

/** The configuration of a command line. */
export interface Resolved {
  config: Config;
  /** Notes for the user. */
  notes: string[];
  /** What the command line sets. */
  given: Setting[];
  /** Whether neither a recipe nor a run to resume is named, so that a plan may choose what was not given. */
  open: boolean;
}

/** Adds settings to a resolved configuration, below those of the command line. */
export function withPlan({ config, given }: Resolved, plan: readonly Setting[]): Config {
  return fitWarmup(withSettings(withSettings(config, plan), given), [...plan, ...given]);
}

/**
 * Resolves a command line. With `--resume` and no other recipe, flags and pairs go over the configuration in the run's folder.
 */
export function resolveConfig(flags: TrainFlags, pairs: readonly string[]): Resolved {
  if (flags.cfg !== undefined && flags.preset !== undefined)
    throw new Error('--cfg and --preset both name a recipe: give one of them');
  const given = [...flagSettings(flags), ...overrideSettings(pairs)];
  const file = flags.cfg ?? resumedConfig(flags, given);
  const recipe = file === undefined ? presetSettings(flags.preset ?? OWN) : readSettings(file);
  const workers = { 'DATA_LOADER.NUM_WORKERS': Math.max(1, os.availableParallelism() - 1) };
  const base = file === undefined ? { ...defaults(), ...workers } : defaults();
  const plain = withSettings(base, recipe);
  const flagged = withSettings(plain, given);
  const config = flags.crop === undefined ? flagged : fitTestScale(flagged, plain, given);
  const open = file === undefined && flags.preset === undefined;
  const notes = withoutEffect([...recipe, ...given]);
  return { config: open ? fitWarmup(config, given) : config, notes, given, open };
}
