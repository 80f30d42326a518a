/** The metadata of a checkpoint: model, classes and input. Each field is validated against limits. */
import { inputSpec, type InputSpec } from '../data/input_spec';
import type { Normalisation } from '../data/normalisation';
import { ablationOf, SWITCHES, type Ablation } from './ablation';
import type { MorphMlpConfig } from './config';

/** Description of a model in every checkpoint. */
export interface ModelInfo {
  model: MorphMlpConfig;
  classNames: string[];
  input: InputSpec;
}

/** Maximum values in a file: far above any model, far below what would exhaust a machine's memory. */
const MOST = {
  layers: 1000,
  channels: 65_536,
  frames: 4096,
  classes: 1_000_000,
  rate: 10_000,
  side: 16_384,
  name: 1000,
};

const shown = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
};

/** The fields of one object. Every method throws a sentence that names the field, the expected value and the actual one. */
class Fields {
  private readonly fields: Record<string, unknown>;

  constructor(
    value: unknown,
    private readonly where: string,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error(`${where}: expected an object, got ${shown(value)}`);
    this.fields = value as Record<string, unknown>;
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  raw(name: string): unknown {
    return this.fields[name];
  }

  whole(name: string, least: number, most: number): number {
    const fits = (value: unknown) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
    return this.checked(name, `a whole number from ${least} to ${most}`, fits);
  }

  /** A finite number in [least, most], or (least, most] if `open`. */
  real(name: string, [least, most]: readonly [number, number], open = false): number {
    const fits = (value: unknown) => isReal(value, least, most) && !(open && value === least);
    return this.checked(
      name,
      open ? `a number above ${least} up to ${most}` : `a number from ${least} to ${most}`,
      fits,
    );
  }

  choice<T extends string>(name: string, values: readonly T[]): T {
    return this.checked(name, values.join(' or '), (value) => values.includes(value as T));
  }

  flag(name: string): boolean {
    return this.checked(name, 'true or false', (value) => typeof value === 'boolean');
  }

  /** `count` numbers. */
  list(name: string, count: number, expected: string, fits: (value: unknown) => boolean): number[] {
    const all = (value: unknown) => Array.isArray(value) && value.length === count && value.every(fits);
    return this.checked(name, `${count} ${expected}`, all);
  }

  private checked<T>(name: string, expected: string, fits: (value: unknown) => boolean): T {
    const value = this.fields[name];
    if (fits(value)) return value as T;
    throw new Error(`${this.where}.${name}: expected ${expected}, got ${shown(value)}`);
  }
}

const isReal = (value: unknown, least: number, most: number): value is number =>
  Number.isFinite(value) && (value as number) >= least && (value as number) <= most;

type Four = readonly [number, number, number, number];

function stages(fields: Fields, name: string, most: number): Four {
  const fits = (value: unknown) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
  return fields.list(name, 4, `whole numbers from 1 to ${most}`, fits) as unknown as Four;
}

function ablationIn(value: unknown): Partial<Ablation> {
  const fields = new Fields(value, 'model.ablation');
  const unknown = Object.keys(value as object).find((name) => !Object.hasOwn(SWITCHES, name));
  if (unknown !== undefined) throw new Error(`model.ablation: unknown switch ${shown(unknown)}`);
  const names = Object.keys(value as object) as (keyof Ablation)[];
  return Object.fromEntries(names.map((name) => [name, fields.choice<string>(name, SWITCHES[name])]));
}

function modelIn(value: unknown): MorphMlpConfig {
  const fields = new Fields(value, 'model');
  return {
    kind: fields.choice('kind', ['video', 'image']),
    layers: stages(fields, 'layers', MOST.layers),
    embedDims: stages(fields, 'embedDims', MOST.channels),
    segmentDim: stages(fields, 'segmentDim', MOST.channels),
    frames: fields.whole('frames', 1, MOST.frames),
    numClasses: fields.whole('numClasses', 1, MOST.classes),
    mlpRatio: fields.real('mlpRatio', [0, 1000], true),
    qkvBias: fields.flag('qkvBias'),
    dropPath: fields.real('dropPath', [0, 0.9999]),
    ...(fields.has('task') ? { task: fields.choice('task', ['segment'] as const) } : {}),
    ...(fields.has('ablation') ? { ablation: ablationIn(fields.raw('ablation')) } : {}),
  };
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Checks class names: one per class, all different, no control characters. `where` names their origin in errors. */
export function checkClassNames(names: unknown, classes: number, where: string): string[] {
  if (!Array.isArray(names)) throw new Error(`${where}: expected a list of ${classes} names, got ${shown(names)}`);
  if (names.length !== classes)
    throw new Error(`${where}: expected ${classes} names, as many as there are classes, got ${names.length}`);
  const seen = new Map<unknown, number>();
  names.forEach((name: unknown, i) => {
    if (typeof name !== 'string' || name.trim() === '' || name.length > MOST.name)
      throw new Error(`${where}[${i}]: expected a name of 1 to ${MOST.name} characters, got ${shown(name)}`);
    if (CONTROL.test(name)) throw new Error(`${where}[${i}]: control characters in the name ${shown(name)}`);
    if (seen.has(name)) throw new Error(`${where}[${i}]: duplicate name ${shown(name)}, also number ${seen.get(name)}`);
    seen.set(name, i);
  });
  return names as string[];
}

function normalisationIn(value: unknown): Normalisation {
  const fields = new Fields(value, 'input.normalisation');
  const mean = fields.list('mean', 3, 'numbers from -1000 to 1000', (v) => isReal(v, -1000, 1000));
  const std = fields.list('std', 3, 'numbers from 0.000001 to 1000', (v) => isReal(v, 1e-6, 1000));
  return { mean, std };
}

/** Normalisation of the recipes, used for checkpoints of the first versions, which do not store theirs. */
const FIRST: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] };

/**
 * Validates an input specification from a checkpoint's metadata, or from a foreign file and options. Fields that the first
 * versions did not store get the values that they used.
 * @param frames number of frames of the model
 */
export function readInput(value: unknown, frames: number): InputSpec {
  const fields = new Fields(value, 'input');
  const optional = <T>(name: string, read: () => T): T | undefined => (fields.has(name) ? read() : undefined);
  const input = inputSpec({
    frames: fields.whole('frames', 1, MOST.frames),
    rate: fields.whole('rate', 1, MOST.rate),
    crop: fields.whole('crop', 1, MOST.side),
    sampling: optional('sampling', () => fields.choice('sampling', ['dense', 'segment'])),
    targetFps: optional('targetFps', () => fields.real('targetFps', [0, 10_000], true)),
    offset: optional('offset', () => fields.flag('offset')),
    testScale: optional('testScale', () => fields.whole('testScale', 1, MOST.side)),
    ignoreSar: optional('ignoreSar', () => fields.flag('ignoreSar')),
    channelOrder: optional('channelOrder', () => fields.choice('channelOrder', ['rgb'])),
    normalisation: fields.has('normalisation') ? normalisationIn(fields.raw('normalisation')) : FIRST,
  });
  if (input.frames !== frames)
    throw new Error(`input.frames: expected ${frames}, as model.frames says, got ${input.frames}`);
  return input;
}

/**
 * Reads the metadata of a checkpoint of this program; null for a foreign file, which has none.
 * @param names class names that replace those in the file
 * @throws in one sentence that names the field
 */
export function readModelInfo(meta: object, names?: readonly string[]): ModelInfo | null {
  const { model: config, classNames, input } = meta as Record<string, unknown>;
  if (config === undefined && classNames === undefined && input === undefined) return null;
  const model = modelIn(config);
  const [given, where] = names ? [names, 'the names given'] : [classNames, 'classNames'];
  return { model, classNames: checkClassNames(given, model.numClasses, where), input: readInput(input, model.frames) };
}

/** Throws if the metadata contradict the model recognised from the tensors, naming the first field that differs. */
export function expectSame(said: MorphMlpConfig, found: MorphMlpConfig): void {
  const hidden = ({ mlpRatio, embedDims }: MorphMlpConfig) => Math.trunc(embedDims[0] * mlpRatio);
  const pairs: [string, unknown, unknown][] = [
    ...(['kind', 'layers', 'embedDims', 'numClasses', 'qkvBias'] as const).map((name): [string, unknown, unknown] => [
      name,
      said[name],
      found[name],
    ]),
    ['frames', said.kind === 'video' ? said.frames : 1, said.kind === 'video' ? found.frames : 1],
    ['mlpRatio', hidden(said), hidden(found)],
    ['task', said.task ?? 'classify', found.task ?? 'classify'],
    ['ablation', ablationOf(said), ablationOf(found)],
  ];
  for (const [name, ours, theirs] of pairs)
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
      const [a, b] = name === 'mlpRatio' ? [said.mlpRatio, found.mlpRatio] : [ours, theirs];
      throw new Error(`model.${name}: the metadata says ${shown(a)}, the tensors show ${shown(b)}`);
    }
}
