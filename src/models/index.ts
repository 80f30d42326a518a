export { SWITCHES, type Ablation } from './ablation';
export { AblatedFc } from './ablated_fc';
export { Downsample, PatchEmbed } from './embed';
export { QUICKSTART, VARIANTS, type MorphMlpConfig, type Variant } from './config';
export { Block, create, Mlp, MorphFcS, MorphFcS2, MorphFcT, MorphMLP, type FeatureName } from './morphmlp';
export { initialise, type Initialised, type InitialiseOptions } from './initialise';
export { load, readWeights, type InputSpec, type LoadOptions, type ModelInfo, type Weights } from './load';
export { describeModel, recognise, type Hints, type Recognised } from './recognise';
