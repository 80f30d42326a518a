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
import { runFiles } from '../../train/run_files';
import { QUICKSTART, VARIANTS, type MorphMlpConfig } from '../../models/config';

/** Flags of `morphmlp train` that set configuration keys; flags that were not given are absent. */
export interface TrainFlags {
  cfg?: string;
  preset?: string;
  data?: string;
  val?: string;
  separator?: string;
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
  out?: string;
  resume?: boolean;
}

/** Flags that are aliases of one key. */
const SAME: Readonly<Partial<Record<keyof TrainFlags, KeyName>>> = {
  data: 'RUN.TRAIN_DATA',
  val: 'RUN.VAL_DATA',
  separator: 'DATA.PATH_LABEL_SEPARATOR',
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
  out: 'OUTPUT_DIR',
};

type Values = Partial<Record<KeyName, unknown>>;

const CLASSES: Readonly<Record<number, string>> = { 16: 'MorphMLP', 32: 'MorphMLP_32' };
const classFor = (frames: number): string => CLASSES[frames] ?? 'MorphMLP_any';

/** Keys of a published model. */
function modelValues(name: string): Values {
  const models: Record<string, MorphMlpConfig> = { quickstart: QUICKSTART };
  for (const [variant, { config }] of Object.entries(VARIANTS)) models[variant] = config;
  const config = models[name];
  if (!config) throw new Error(`model '${name}' is not one of ${Object.keys(models).join(', ')}`);
  return {
    'MODEL.MODEL_NAME': config.kind === 'image' ? 'MorphMLP_image' : classFor(config.frames),
    'MORPH.LAYERS': [...config.layers],
    'MORPH.EMBED_DIMS': [...config.embedDims],
    'MORPH.SEGMENT_DIM': [...config.segmentDim],
    'MORPH.DROP_DEPTH_RATE': config.dropPath,
    'DATA.NUM_FRAMES': config.frames,
  };
}

/** Sets the crop of training and test, and scales the recipes' range of 256 to 320 in proportion. */
function cropValues(crop: number): Values {
  const scaled = (of224: number): number => Math.round((crop * of224) / 224);
  return {
    'DATA.TRAIN_CROP_SIZE': crop,
    'DATA.TEST_CROP_SIZE': crop,
    'DATA.TRAIN_JITTER_SCALES': [scaled(256), scaled(320)],
  };
}

/** Keys of the recipes' strong augmentation. */
const AUGMENTED: Values = {
  'AUG.ENABLE': true,
  'AUG.AA_TYPE': 'rand-m7-n4-mstd0.5-inc1',
  'DATA.TRAIN_JITTER_SCALES_RELATIVE': [0.08, 1],
  'DATA.TRAIN_JITTER_ASPECT_RELATIVE': [0.75, 1.3333],
  'MIXUP.ENABLE': true,
  'MODEL.LOSS_FUNC': 'soft_cross_entropy',
};

function flagSettings(flags: TrainFlags): Setting[] {
  const settings: Setting[] = [];
  const add = (flag: string, values: Values) => {
    for (const [key, value] of Object.entries(values)) settings.push({ key, value, where: flag });
  };
  if (flags.model !== undefined) add('--model', modelValues(flags.model));
  if (flags.frames !== undefined)
    add('--frames', { 'DATA.NUM_FRAMES': flags.frames, 'MODEL.MODEL_NAME': classFor(flags.frames) });
  if (flags.crop !== undefined) add('--crop', cropValues(flags.crop));
  if (flags.augment) add('--augment', AUGMENTED);
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

/**
 * The configuration of a command line, and notes for the user. With `--resume` and no other recipe, flags and pairs go over the
 * configuration in the run's folder.
 */
export function resolveConfig(flags: TrainFlags, pairs: readonly string[]): { config: Config; notes: string[] } {
  if (flags.cfg !== undefined && flags.preset !== undefined)
    throw new Error('--cfg and --preset both name a recipe: give one of them');
  const given = [...flagSettings(flags), ...overrideSettings(pairs)];
  const file = flags.cfg ?? resumedConfig(flags, given);
  const recipe = file === undefined ? presetSettings(flags.preset ?? OWN) : readSettings(file);
  const workers = { 'DATA_LOADER.NUM_WORKERS': Math.max(1, os.availableParallelism() - 1) };
  const base = file === undefined ? { ...defaults(), ...workers } : defaults();
  const config = withSettings(withSettings(base, recipe), given);
  const whole = file === undefined && flags.preset === undefined;
  return { config: whole ? fitWarmup(config, given) : config, notes: withoutEffect([...recipe, ...given]) };
}
