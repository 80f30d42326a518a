/** Configuration keys of a named model and of a crop. */
import { VARIANTS } from '../../models/config';
import type { KeyName } from './keys';

type Values = Partial<Record<KeyName, unknown>>;

const CLASSES: Readonly<Record<number, string>> = { 16: 'MorphMLP', 32: 'MorphMLP_32' };

/** The authors' class for a number of frames, or ours for any number. */
export const classFor = (frames: number): string => CLASSES[frames] ?? 'MorphMLP_any';

/** Keys of the model `name`. @throws if `VARIANTS` has no such model */
export function modelKeys(name: string): Values {
  const config = VARIANTS[name]?.config;
  if (!config) throw new Error(`model '${name}' is not one of ${Object.keys(VARIANTS).join(', ')}`);
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
export function cropKeys(crop: number): Values {
  const scaled = (of224: number): number => Math.round((crop * of224) / 224);
  return {
    'DATA.TRAIN_CROP_SIZE': crop,
    'DATA.TEST_CROP_SIZE': crop,
    'DATA.TRAIN_JITTER_SCALES': [scaled(256), scaled(320)],
  };
}
