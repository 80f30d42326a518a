/** The package as it is loaded: the exports of index.ts, which has the types, with functions that refuse surplus arguments. */
import type * as library from './index';
import { limitExports, type Limits } from './core/arguments';
import * as ops from './ops';
import { METHOD_LIMITS } from './ops/methods';

const NN: Limits<typeof library.nn> = {
  ...{ Flatten: 0, GELU: 0, GlobalAvgPool2d: 0, Module: 0, ReLU: 0, Sigmoid: 0, Tanh: 0 },
  ...{ BatchNorm: 1, BatchNorm2d: 1, Dropout: 1, LayerNorm: 1, ModuleDict: 1, ModuleList: 1, Sequential: Infinity },
  ...{ AvgPool2d: 2, Embedding: 2, GroupNorm: 2, MaxPool2d: 2, Linear: 3, Conv2d: 4, Conv3d: 4 },
  ...{ buffer: 1, gelu: 1, isParameter: 1, parameter: 1, seedInit: 1 },
  ...{ normal: 2, softCrossEntropy: 2, softmax: 2, truncatedNormal: 2, uniform: 2, crossEntropy: 3 },
};

const OPTIM: Limits<typeof library.optim> = {
  ...{ Adadelta: 2, Adam: 2, AdamW: 2, MovingAverage: 2, Optimizer: 4, PlateauSchedule: 1, RMSprop: 2, SGD: 2 },
  ...{ cosineSchedule: 1, oneCycleSchedule: 1, stepSchedule: 1, learningRate: 2 },
  ...{ gradNorm: 1, clipFactor: 2, clipGradNorm: 2, clipGradValue: 2, measureGradNorm: 2, scaleGradients: 2 },
  ...{ parameterGroups: 2, lerp: 3 },
};

const MODELS: Limits<typeof library.models> = {
  ...{ MorphMLP: 1, AblatedFc: 2, Downsample: 2, Mlp: 2, PatchEmbed: 2, Reweight: 2 },
  ...{ MorphFcS: 3, MorphFcS2: 3, MorphFcT: 3, Block: 4 },
  ...{
    describeModel: 1,
    inputSpec: 1,
    create: 2,
    load: 2,
    loadSegmenter: 2,
    readWeights: 2,
    recognise: 2,
    initialise: 3,
  },
  ...{ Backbone: 1, SemanticFpn: 1, ConvNormRelu: 2, FeaturePyramid: 2, SemanticHead: 4 },
};

const { var: variance, backward, ...methods } = METHOD_LIMITS;
const OPS: Limits<typeof ops> = {
  ...methods,
  ...{ clipSettings: 1, meanPool: 1, cat: 2, reweight: 2, softCrossEntropy: 2, stack: 2, variance },
  ...{ avgPool2d: 3, bceWithLogits: 3, clipInput: 3, crossEntropy: 3, dropFactors: 3, dropout: 3, dropPath: 3 },
  ...{ focalLoss: 3, klDiv: 3, l1Loss: 3, maxPool2d: 3, mseLoss: 3, oneHot: 3, smoothL1Loss: 3, where: 3 },
  ...{ pixelCrossEntropy: 3, resize: 3 },
  ...{ conv2d: 4, conv3d: 4, convNorm: 4, layerNorm: 4, linear: 4, morphFc: 4, normMlp: 4, normTemporal: 4 },
  ...{ temporalFc: 4, tripletMarginLoss: 4, groupNorm: 5, batchNorm: 6 },
};

const ROOT: Limits<typeof library> = {
  ...OPS,
  ...{ Tensor: 4, DataLoader: 2, backward },
  ...{ getDefaultDevice: 0, instructionSet: 0, isGradEnabled: 0, liveTensorReport: 0, liveTensors: 0 },
  ...{ releaseMemoryCache: 0, resetPeakMemory: 0, rngState: 0, threads: 0 },
  ...{ collate: 1, defineOp: 1, enableGrad: 1, load: 1, manualSeed: 1, memory: 1 },
  ...{ noGrad: 1, readMetadata: 1, readTensors: 1, releaseGraph: 1, scope: 1, setDefaultDevice: 1, setRngState: 1 },
  ...{ setThreads: 1, trackLiveTensors: 1 },
  ...{ empty: 2, ones: 2, onesLike: 2, openClips: 2, rand: 2, randn: 2, readIdx: 2, setAnomalyDetection: 2 },
  ...{ zeros: 2, zerosLike: 2, arange: 3, exportOnnx: 3, eye: 3, fmaPeak: 3, forwardAsync: 3, full: 3 },
  ...{ gradcheck: 3, predict: 3, save: 3, tensor: 3, saveWeights: 4, checkpoint: Infinity },
};

function limited(exports: typeof library): typeof library {
  limitExports(ops, OPS, '', true); // the first name is that of messages: `gelu`, and not `nn.gelu`
  const root = limitExports(exports, ROOT);
  const [nn, optim] = [limitExports(exports.nn, NN, 'nn.'), limitExports(exports.optim, OPTIM, 'optim.')];
  return { ...root, nn, optim, models: limitExports(exports.models, MODELS, 'models.') };
}

// Node finds the names for `import { tensor } from 'morphmlp'` by the first of these.
// eslint-disable-next-line @typescript-eslint/no-require-imports
module.exports = { ...require('./index'), ...limited(require('./index') as typeof library) };
