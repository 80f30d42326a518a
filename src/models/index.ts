export { QUICKSTART, VARIANTS, type MorphMlpConfig, type Variant } from './config';
export {
  Block,
  create,
  Downsample,
  Mlp,
  MorphFcS,
  MorphFcS2,
  MorphFcT,
  MorphMLP,
  PatchEmbed,
  type FeatureName,
} from './morphmlp';
export { load, type InputSpec, type ModelInfo } from './load';
