/** Converts a configuration to the options of a training run. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Augmentation } from '../../data/augment';
import type { VideoOptions } from '../../data/video/clip_plan';
import { specOf, type DataSpec } from '../../data/open';
import { ablationWords, withAblation } from '../../models/ablation';
import { checkConfig, type MorphMlpConfig } from '../../models/config';
import { variantName } from '../../models/recognise';
import type { OptimizerChoice, RunOptions, StartFrom, Testing } from '../options';
import { byteCount, cacheByteCount } from './bytes';
import type { Precision } from '../../core/native';
import type { Config } from './keys';

type Split = 'train' | 'val' | 'test';
type Four = readonly [number, number, number, number];

const FRAMES: Readonly<Record<string, number>> = { MorphMLP: 16, MorphMLP_32: 32, MorphMLP_image: 1 };

/** The authors have one class for 16 frames and one for 32; other combinations cannot run (such as their SSV1_MLP_S32.yaml). */
function checkFrames(config: Config): void {
  const [name, frames] = [config['MODEL.MODEL_NAME'], config['DATA.NUM_FRAMES']];
  const wanted = FRAMES[name];
  if (wanted === undefined || wanted === frames) return;
  const fitting = Object.keys(FRAMES).find((other) => FRAMES[other] === frames) ?? 'MorphMLP_any';
  throw new Error(
    `MODEL.MODEL_NAME ${name} takes clips of ${wanted} frames, but DATA.NUM_FRAMES is ${frames}; set MODEL.MODEL_NAME to ${fitting}`,
  );
}

function architectureOf(config: Config): Omit<MorphMlpConfig, 'numClasses'> {
  checkFrames(config);
  const ratios = config['MORPH.MLP_RATIOS'];
  if (ratios.some((ratio) => ratio !== ratios[0]))
    throw new Error(`MORPH.MLP_RATIOS: expected four times the same number, got ${ratios.join(', ')}`);
  const architecture = {
    kind: config['MODEL.MODEL_NAME'] === 'MorphMLP_image' ? ('image' as const) : ('video' as const),
    layers: config['MORPH.LAYERS'] as unknown as Four,
    embedDims: config['MORPH.EMBED_DIMS'] as unknown as Four,
    segmentDim: config['MORPH.SEGMENT_DIM'] as unknown as Four,
    frames: config['DATA.NUM_FRAMES'],
    mlpRatio: ratios[0]!,
    qkvBias: config['MORPH.QKV_BIAS'],
    dropPath: config['MORPH.DROP_DEPTH_RATE'],
    ...(config['RUN.TASK'] === 'segment' ? { task: 'segment' as const } : {}),
    ...withAblation({
      groupDim: config['MORPH.GROUP_DIM'],
      branches: config['MORPH.BRANCHES'],
      weighting: config['MORPH.WEIGHTING'],
      spatial: config['MORPH.SPATIAL'],
    }),
  };
  checkConfig({ ...architecture, numClasses: 1 });
  return architecture;
}

/** Name of a model: the published name if there is one. */
export function modelName(architecture: Omit<MorphMlpConfig, 'numClasses'>): string {
  const name = variantName({ ...architecture, ablation: {} }) ?? `a ${architecture.kind} model`;
  const task = architecture.task === 'segment' ? ['Semantic FPN'] : [];
  return [name, ...task, ...ablationWords(architecture)].join(', ');
}

const FOLDER_NAMES: Record<Split, string> = { train: 'train', val: 'val', test: 'val' };

/** Path of a split in the authors' layout of a dataset. */
function layoutPath(config: Config, split: Split): DataSpec {
  const dataset = config[split === 'test' ? 'TEST.DATASET' : 'TRAIN.DATASET'];
  const folder = config['DATA.PATH_TO_DATA_DIR'];
  const [root, separator] = [config['DATA.PATH_PREFIX'], config['DATA.PATH_LABEL_SEPARATOR']];
  if (dataset === 'motion') return { kind: 'motion', path: 'motion' };
  if (folder === '') throw new Error('DATA.PATH_TO_DATA_DIR is missing: the folder of the lists');
  if (dataset === 'kinetics') return { kind: 'list', path: path.join(folder, `${split}.csv`), root, separator };
  if (dataset !== 'sth') return { kind: 'list', path: path.join(folder, FOLDER_NAMES[split]) };
  const name = config['DATA.LABEL_PATH_TEMPLATE'].replace('{}', split === 'train' ? 'train' : 'validation');
  return { kind: 'frames', path: path.join(folder, name), root, template: config['DATA.IMAGE_TEMPLATE'] };
}

/** The share of the training files that `--val` names; null if it names files or nothing. @throws if it is not between 0 and 1 */
function shareOf(val: string): number | null {
  const share = val === '' ? NaN : Number(val);
  if (Number.isNaN(share) || existsSync(val)) return null;
  if (share > 0 && share < 1) return share;
  throw new Error(`--val ${val}: expected files, or a share of the training files between 0 and 1`);
}

/** The data of a split; of a segmentation a folder of pairs, unless they are drawn. */
function specFor(config: Config, split: Split): DataSpec | null {
  const spec = listFor(config, split);
  const drawn = spec?.kind === 'segment-shapes';
  const segments = config['RUN.TASK'] === 'segment';
  if (spec === null || !(segments || drawn)) return spec;
  if (drawn && segments) return spec;
  if (drawn) throw new Error(`${spec.path} has masks: it is for RUN.TASK segment (--task segment)`);
  if (spec.kind !== 'list')
    throw new Error(
      `${spec.path} has no masks: RUN.TASK segment takes a folder of pictures and masks, or segment-shapes`,
    );
  return { ...spec, kind: 'pairs', reduceZeroLabel: config['RUN.REDUCE_ZERO_LABEL'] };
}

function listFor(config: Config, split: Split): DataSpec | null {
  const own = { train: config['RUN.TRAIN_DATA'], val: config['RUN.VAL_DATA'], test: config['RUN.TEST_DATA'] };
  const classesFile = config['RUN.CLASSES_FILE'];
  const named = classesFile === '' ? {} : { classesFile };
  const share = shareOf(own.val);
  if (share !== null && !(split === 'test' && own.test !== '')) {
    const part = split === 'train' ? ('train' as const) : ('val' as const);
    return { ...specOf(own.train, config['DATA.PATH_LABEL_SEPARATOR']), ...named, split: { share, part } };
  }
  const given = split === 'test' ? own.test || own.val : own[split];
  if (given !== '') return { ...specOf(given, config['DATA.PATH_LABEL_SEPARATOR']), ...named };
  if (own.train !== '' && split !== 'train') return null; // the user's clips, without a validation list
  return { ...layoutPath(config, split), ...named };
}

/** As in the authors' code: colour jitter only without RandAugment; RandAugment on whole frames of videos, on cropped images. */
function augmentationOf(config: Config): Augmentation | undefined {
  if (!config['AUG.ENABLE']) return undefined;
  const policy = config['AUG.AA_TYPE'];
  const change = policy === '' ? { colorJitter: config['AUG.COLOR_JITTER'] } : { randAugment: policy };
  const erasing = { prob: config['AUG.RE_PROB'], mode: config['AUG.RE_MODE'], count: config['AUG.RE_COUNT'] };
  const on = config['TRAIN.DATASET'] === 'imagenet' ? ('crop' as const) : ('frame' as const);
  return { ...change, on, interpolation: config['AUG.INTERPOLATION'], ...(erasing.prob > 0 ? { erasing } : {}) };
}

function samplingOf(config: Config): 'dense' | 'segment' {
  const how = config['RUN.SAMPLING'];
  if (how !== 'auto') return how as 'dense' | 'segment';
  return config['TRAIN.DATASET'] === 'sth' ? 'segment' : 'dense';
}

function freezeEpochs(config: Config): number {
  const text = config['RUN.FREEZE'];
  if (text === 'all') return config['SOLVER.MAX_EPOCH'];
  if (!/^\d+$/.test(text))
    throw new Error(`RUN.FREEZE: expected a number of epochs or all, got ${JSON.stringify(text)}`);
  return Number(text);
}

function clipsOf(config: Config): Omit<VideoOptions, 'train'> {
  const [scale, aspect] = [config['DATA.TRAIN_JITTER_SCALES_RELATIVE'], config['DATA.TRAIN_JITTER_ASPECT_RELATIVE']];
  const [shortest, longest] = config['DATA.TRAIN_JITTER_SCALES'] as [number, number];
  const crop = config['DATA.TRAIN_CROP_SIZE'];
  const augmentation = augmentationOf(config);
  const pair = (values: number[]) => values as unknown as readonly [number, number];
  if (scale.length === 0 && !(shortest >= crop && longest >= shortest))
    throw new Error(`DATA.TRAIN_JITTER_SCALES ${shortest}, ${longest}: expected a range from the crop, ${crop}, up`);
  return {
    frames: config['DATA.NUM_FRAMES'],
    rate: config['DATA.SAMPLING_RATE'],
    crop,
    flip: config['DATA.RANDOM_FLIP'],
    sampling: samplingOf(config),
    targetFps: config['DATA.TARGET_FPS'],
    offset: config['DATA.USE_OFFSET_SAMPLING'],
    jitter: [shortest, longest],
    ...(scale.length > 0
      ? { resizedCrop: { scale: pair(scale), aspect: pair(aspect.length > 0 ? aspect : [1, 1]) } }
      : {}),
    ...(augmentation ? { augmentation, samples: config['AUG.NUM_SAMPLE'] } : {}),
    ...(config['DATA.IGNORE_SAR'] ? { ignoreSar: true } : {}),
    ...(config['RUN.TEST_SCALE'] > 0 ? { testScale: config['RUN.TEST_SCALE'] } : {}),
  };
}

function mixOf(config: Config): RunOptions['mix'] {
  if (!config['MIXUP.ENABLE']) return null;
  if (config['MODEL.LOSS_FUNC'] !== 'soft_cross_entropy')
    throw new Error('MIXUP.ENABLE mixes labels, so MODEL.LOSS_FUNC must be soft_cross_entropy, not cross_entropy');
  return {
    alpha: config['MIXUP.ALPHA'],
    cutmixAlpha: config['MIXUP.CUTMIX_ALPHA'],
    prob: config['MIXUP.PROB'],
    switchProb: config['MIXUP.SWITCH_PROB'],
    smoothing: config['MIXUP.LABEL_SMOOTH_VALUE'],
  };
}

function optimizerOf(config: Config): OptimizerChoice {
  return {
    method: config['SOLVER.OPTIMIZING_METHOD'],
    momentum: config['SOLVER.MOMENTUM'],
    nesterov: config['SOLVER.NESTEROV'],
    weightDecay: config['SOLVER.WEIGHT_DECAY'],
    decayAll: !config['SOLVER.ZERO_WD_1D_PARAM'],
    layerDecay: config['RUN.LAYER_DECAY'],
  };
}

function scheduleOf(config: Config): RunOptions['schedule'] {
  const [warmupEpochs, maxEpoch] = [config['SOLVER.WARMUP_EPOCHS'], config['SOLVER.MAX_EPOCH']];
  if (!(warmupEpochs < maxEpoch))
    throw new Error(`SOLVER.WARMUP_EPOCHS ${warmupEpochs} must be less than SOLVER.MAX_EPOCH ${maxEpoch}`);
  const factor = config['SOLVER.BASE_LR_SCALE_NUM_SHARDS'] ? config['NUM_SHARDS'] : 1;
  return {
    baseLr: config['SOLVER.BASE_LR'] * factor,
    endLr: config['SOLVER.COSINE_END_LR'] * factor,
    warmupStartLr: config['SOLVER.WARMUP_START_LR'] * factor,
    warmupEpochs,
    maxEpoch,
    cosineAfterWarmup: config['SOLVER.COSINE_AFTER_WARMUP'],
    ...(config['SOLVER.LR_POLICY'] === 'poly' ? { power: config['SOLVER.POLY_POWER'] } : {}),
  };
}

/** Initial weights. A pretrained head for other classes is dropped, as in the authors' code. */
function startOf(config: Config): StartFrom | null {
  const inflate = config['RUN.INFLATE'];
  const own = config['TRAIN.CHECKPOINT_FILE_PATH'];
  if (own !== '') return { file: own, resetHead: config['RUN.RESET_HEAD'], inflate };
  const pretrained = config['MORPH.PRETRAIN_PATH'];
  return pretrained === '' ? null : { file: pretrained, resetHead: true, inflate };
}

function checkGraph(config: Config): void {
  if (!config['RUN.CUDA_GRAPH']) return;
  if (config['RUN.DEVICE'] !== 'cuda')
    throw new Error(
      `RUN.CUDA_GRAPH records launches on a GPU: it needs RUN.DEVICE cuda, which is ${config['RUN.DEVICE']}`,
    );
  if (freezeEpochs(config) > 0)
    throw new Error('RUN.CUDA_GRAPH replays one step, and RUN.FREEZE changes which parameters learn: give one of them');
  if (config['RUN.PLUGINS'].length > 0)
    throw new Error(
      'RUN.CUDA_GRAPH: kernels of your own (RUN.PLUGINS) are watched as they are launched, and a replay launches them unseen',
    );
}

function checkDevice(config: Config): void {
  checkGraph(config);
  if (config['RUN.PRECISION'] === 'f32') return;
  if (config['RUN.PLUGINS'].length > 0)
    throw new Error('RUN.PRECISION bf16: kernels of your own (RUN.PLUGINS) are f32');
}

/** Settings that a segmentation has not, with what they are of. */
function checkTask(config: Config): void {
  if (config['RUN.TASK'] === 'classify') return;
  const not = (key: string, is: boolean, why: string): void => {
    if (is) throw new Error(`${key}: ${why}, which RUN.TASK segment has not`);
  };
  not('MIXUP.ENABLE', config['MIXUP.ENABLE'], 'mixes the labels of clips');
  not('RUN.BALANCE', config['RUN.BALANCE'] !== 'none', 'balances the classes of clips');
  not('RUN.LABEL_SMOOTHING', config['RUN.LABEL_SMOOTHING'] > 0, 'smooths the labels of clips');
  not('RUN.CUDA_GRAPH', config['RUN.CUDA_GRAPH'], 'replays steps of clips');
  not('TEST.ENABLE', config['TEST.ENABLE'], 'tests views of clips');
}

/** Options of a training run. Reads nothing but the configuration. @throws if the configuration is inconsistent */
export function runOptions(config: Config): RunOptions {
  checkDevice(config);
  checkTask(config);
  const [batchSize, budget] = [config['TRAIN.BATCH_SIZE'], config['RUN.MEMORY_BUDGET']];
  const cache = config['RUN.CACHE_MEMORY'];
  const out = config['OUTPUT_DIR'];
  const board = config['TENSORBOARD.LOG_DIR'] || `runs-${config['TRAIN.DATASET']}`;
  const architecture = architectureOf(config);
  return {
    name: modelName(architecture),
    architecture,
    classes: config['MODEL.NUM_CLASSES'] || null,
    train: specFor(config, 'train')!,
    val: specFor(config, 'val'),
    clips: clipsOf(config),
    testCrop: config['DATA.TEST_CROP_SIZE'],
    normalisation: { mean: config['DATA.MEAN'], std: config['DATA.STD'] },
    batchSize,
    microBatch: config['RUN.MICRO_BATCH'] || batchSize,
    mix: mixOf(config),
    labelSmoothing: config['RUN.LABEL_SMOOTHING'],
    optimizer: optimizerOf(config),
    schedule: scheduleOf(config),
    freezeEpochs: freezeEpochs(config),
    balance: config['RUN.BALANCE'] as RunOptions['balance'],
    patience: config['RUN.PATIENCE'],
    clipNorm: config['SOLVER.CLIP_GRAD_L2NORM'] || config['SOLVER.CLIP_GRADIENT'],
    evalEvery: config['TRAIN.EVAL_PERIOD'],
    keepEvery: config['TRAIN.CHECKPOINT_PERIOD'],
    saveMinutes: config['RUN.SAVE_MINUTES'],
    emaDecay: config['RUN.EMA_DECAY'],
    seed: config['RNG_SEED'],
    workers: config['DATA_LOADER.NUM_WORKERS'],
    precision: config['RUN.PRECISION'] as Precision,
    cudaGraph: config['RUN.CUDA_GRAPH'],
    fastReduction: config['RUN.REDUCTION'] === 'fast',
    syncNorm: config['RUN.SYNC_BN'],
    memoryBudget: budget === '' ? null : byteCount(budget),
    cacheMemory: cache === '' ? null : cacheByteCount(cache),
    init: startOf(config),
    out,
    resume: config['TRAIN.AUTO_RESUME'] ? 'auto' : 'never',
    tensorboard: config['TENSORBOARD.ENABLE'] ? path.join(out, board) : null,
  };
}

/** Settings of the test after training; null without a test. */
export function testingOf(config: Config): Testing | null {
  const data = config['TEST.ENABLE'] ? specFor(config, 'test') : null;
  if (data === null) return null;
  return {
    data,
    views: { clips: config['TEST.NUM_ENSEMBLE_VIEWS'], crops: config['TEST.NUM_SPATIAL_CROPS'] as 1 | 3 },
    batch: config['TEST.BATCH_SIZE'],
    checkpoint: config['TEST.CHECKPOINT_FILE_PATH'] || null,
    results: path.join(config['OUTPUT_DIR'], config['TEST.SAVE_RESULTS_PATH'] || 'test.json'),
  };
}
