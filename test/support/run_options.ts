import { defaults, presetSettings, withSettings } from '../../src/train/config/config';
import type { Config, KeyName } from '../../src/train/config/keys';
import { runOptions } from '../../src/train/config/recipe';
import type { RunOptions } from '../../src/train/options';

type Values = Partial<Record<KeyName, unknown>>;

/** The quick start's configuration with some keys set. */
export function quickConfig(values: Values): Config {
  const settings = Object.entries(values).map(([key, value]) => ({ key, value, where: 'test' }));
  return withSettings(withSettings(defaults(), presetSettings('quickstart')), settings);
}

/** Options of a small run on synthetic clips of 32 × 32. */
export function quickRun(out: string, values: Values = {}): RunOptions {
  return runOptions(
    quickConfig({
      'RUN.TRAIN_DATA': 'motion:40',
      'RUN.VAL_DATA': 'motion:16',
      'DATA.TRAIN_CROP_SIZE': 32,
      'DATA.TEST_CROP_SIZE': 32,
      'DATA.TRAIN_JITTER_SCALES': [32, 40],
      'SOLVER.MAX_EPOCH': 2,
      'SOLVER.BASE_LR': 1e-3,
      'SOLVER.CLIP_GRADIENT': 1,
      'MORPH.DROP_DEPTH_RATE': 0.3,
      'TENSORBOARD.ENABLE': false,
      'DATA_LOADER.NUM_WORKERS': 1,
      RNG_SEED: 7,
      OUTPUT_DIR: out,
      ...values,
    }),
  );
}
