/** Input specifications of foreign weight files, from SlowFast's configuration, options, and reported assumptions. */
import { parseDocument } from 'yaml';
import { NORMALISATION, type Normalisation } from '../data/normalisation';
import type { MorphMlpConfig } from './config';

/** Input settings as found in a file, not validated yet (`readInput` validates them). */
export interface InputGiven {
  frames?: unknown;
  rate?: unknown;
  crop?: unknown;
  sampling?: unknown;
  targetFps?: unknown;
  offset?: unknown;
  testScale?: unknown;
  mean?: unknown;
  std?: unknown;
}

/** Settings from the `cfg` of a SlowFast file. */
export interface Cfg {
  input: InputGiven;
  /** Chunk lengths: MORPH.SEGMENT_DIM. */
  segmentDim?: unknown;
  channelOrder: 'rgb' | 'bgr';
}

type Section = Readonly<Record<string, unknown>>;

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The sections of a `cfg`: YAML text (`cfg.dump()`), whose tags are ignored, or a dict. */
function sectionsOf(cfg: unknown): Section {
  if (isSection(cfg)) return cfg;
  if (typeof cfg !== 'string') throw new Error('cfg: expected YAML or a dict');
  const document = parseDocument(cfg, { logLevel: 'silent', merge: true });
  const [error] = document.errors;
  if (error) throw new Error(`cfg: not valid YAML: ${error.message.split('\n')[0]!}`);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (!isSection(value)) throw new Error('cfg: expected sections such as DATA and TRAIN');
  return value;
}

/** True for datasets that SlowFast's code samples by segments: Something-Something in all its spellings. */
const isSegmented = (dataset: unknown): boolean => typeof dataset === 'string' && /^(ss|sth|something)/i.test(dataset);

const withoutUndefined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;

/** Reads DATA.*, TRAIN.DATASET and MORPH.SEGMENT_DIM of a SlowFast configuration; ignores other keys. */
export function readCfg(cfg: unknown): Cfg {
  const sections = sectionsOf(cfg);
  const section = (name: string): Section => (isSection(sections[name]) ? (sections[name] as Section) : {});
  const [data, train] = [section('DATA'), section('TRAIN')];
  const input: InputGiven = withoutUndefined({
    frames: data['NUM_FRAMES'],
    rate: data['SAMPLING_RATE'],
    crop: data['TEST_CROP_SIZE'] ?? data['TRAIN_CROP_SIZE'],
    sampling: train['DATASET'] === undefined ? undefined : isSegmented(train['DATASET']) ? 'segment' : 'dense',
    targetFps: data['TARGET_FPS'],
    offset: data['USE_OFFSET_SAMPLING'],
    mean: data['MEAN'],
    std: data['STD'],
  });
  const channelOrder = data['REVERSE_INPUT_CHANNEL'] === true ? 'bgr' : 'rgb';
  const segmentDim = section('MORPH')['SEGMENT_DIM'];
  return { input, channelOrder, ...(segmentDim === undefined ? {} : { segmentDim }) };
}

/** ImageNet's statistics, which the recipes of image models use. */
const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** Settings of the published recipe of a kind of model, the defaults for settings missing in a file. */
function recipeOf({ kind, frames }: MorphMlpConfig): InputGiven {
  const common = { frames, crop: 224 };
  if (kind === 'image') return { ...common, rate: 1, ...IMAGENET };
  return { ...common, rate: 4, sampling: 'dense', targetFps: 30, offset: true, ...NORMALISATION };
}

const words = (given: InputGiven): string =>
  Object.entries(given)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(', ') : String(value)}`)
    .join('; ');

/** Unvalidated input settings, and sentences that report their origin. */
export interface FoundInput {
  input: Record<string, unknown>;
  notes: string[];
}

/** Merges settings from options, the file's `cfg` and the recipe, in this order of precedence. */
export function foreignInput(model: MorphMlpConfig, cfg: InputGiven | undefined, options: InputGiven): FoundInput {
  const recipe = recipeOf(model);
  const all: InputGiven = { ...recipe, ...cfg, ...options };
  const assumed = Object.entries(recipe).filter(
    ([name]) => name !== 'frames' && !(cfg && name in cfg) && !(name in options),
  );
  const taken = Object.entries(cfg ?? {}).filter(([name]) => !(name in options));
  const { mean, std, ...input } = all;
  return {
    input: { ...input, normalisation: { mean, std } },
    notes: [
      ...(taken.length > 0 ? [`input, from the file's cfg: ${words(Object.fromEntries(taken))}`] : []),
      ...(assumed.length > 0
        ? [`input, assumed since the file does not say: ${words(Object.fromEntries(assumed))} (convert has options)`]
        : []),
    ],
  };
}
