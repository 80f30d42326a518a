/**
 * Which tensors of a file are a model's. Training scripts put weights under keys and prefixes of their own (`state_dict`,
 * `module.`, `_orig_mod.`, `model_ema.module.` …), in any order and depth. So no such name is known here: one tensor that
 * every model has, its anchor, shows each set by what stands before it.
 */

/** A dict of tensors in a file; a safetensors file is one. */
export interface TensorDict {
  /** The keys that lead to it, joined by dots; empty at the top. */
  path: string;
  names: readonly string[];
}

/** One set of weights: tensors of one dict whose names start with one prefix. */
export interface WeightSet {
  dict: TensorDict;
  prefix: string;
  /** Names of the model's tensors, by those that they have in the dict. */
  members: ReadonlyMap<string, string>;
}

/** Picks the wanted set of a file. @throws without the file's name */
export type ChooseSet = (dicts: readonly TensorDict[]) => WeightSet;

/** Counters of BatchNorm, which nothing reads and not every program saves. */
const COUNTER = '.num_batches_tracked';

/** Most sets that are told apart in one file. */
const MOST_SETS = 64;

/** Path and prefix as users write them: `state_dict.model`, or `.` for names of the model at the top of the file. */
export function keyOf({ dict, prefix }: Pick<WeightSet, 'dict' | 'prefix'>): string {
  return [dict.path, prefix.replace(/\.$/, '')].filter((part) => part !== '').join('.') || '.';
}

/** The whole of a dict under its own names. */
export function wholeDict(dict: TensorDict): WeightSet {
  return { dict, prefix: '', members: new Map(dict.names.map((name) => [name, name])) };
}

/**
 * A choice of the one set of weights in a file.
 * @param anchor a tensor that every model has, such as `head.weight`
 * @param key the set that is wanted where there are several, as {@link keyOf} writes it, or a start that only one has
 * @returns a function that throws where no set fits, several do and none was asked for, or `key` names none; lists them
 */
export function weightSet(anchor: string, key?: string): ChooseSet {
  return (dicts) => {
    const sets = dicts.flatMap((dict) => setsIn(dict, anchor));
    if (sets.length === 0 || sets.length > MOST_SETS)
      throw new Error(`expected weights with a tensor ${anchor}, under any prefix; found ${contents(dicts, sets)}`);
    const fitting = key === undefined ? complete(sets) : named(sets, key);
    if (fitting.length === 1) return fitting[0] as WeightSet;
    if (fitting.length === 0)
      throw new Error(`no set of weights is called ${JSON.stringify(key)}, expected one of ${listed(sets)}`);
    throw new Error(
      `${fitting.length} sets of weights fit: ${listed(fitting)}; ` +
        `choose one with: morphmlp convert FILE OUT.safetensors --weights-key ${keyOf(fitting[0] as WeightSet)}`,
    );
  };
}

function setsIn(dict: TensorDict, anchor: string): WeightSet[] {
  const { names } = dict;
  const prefixes = names.filter((name) => name.endsWith(anchor)).map((name) => name.slice(0, -anchor.length));
  // The longest prefix that fits owns a name: weights at the top do not own those under `ema.`.
  const byLength = [...prefixes].sort((a, b) => b.length - a.length).slice(0, MOST_SETS + 1);
  const owned = new Map(prefixes.map((prefix) => [prefix, new Map<string, string>()]));
  for (const name of names) {
    const prefix = byLength.find((start) => name.startsWith(start));
    if (prefix !== undefined) owned.get(prefix)!.set(name, name.slice(prefix.length));
  }
  return prefixes.map((prefix) => ({ dict, prefix, members: owned.get(prefix)! }));
}

const listed = (sets: readonly WeightSet[]) =>
  sets.map((set) => (keyOf(set) === '.' ? '. (the top of the file)' : keyOf(set))).join(', ');

function contents(dicts: readonly TensorDict[], sets: readonly WeightSet[]): string {
  if (sets.length > 0) return `more than ${MOST_SETS} such sets`;
  const names = dicts.flatMap((dict) => dict.names.map((prefix) => keyOf({ dict, prefix })));
  const shown = names.slice(0, 3).map((name) => name.slice(0, 80));
  return `${names.length} entries (${[...shown, ...(names.length > 3 ? ['…'] : [])].join(', ')})`;
}

/** The sets called so, else those whose keys start so. */
function named(sets: readonly WeightSet[], key: string): readonly WeightSet[] {
  const wanted = key.replace(/\.$/, '') || '.';
  const exact = sets.filter((set) => keyOf(set) === wanted);
  return exact.length > 0 ? exact : sets.filter((set) => keyOf(set).startsWith(`${wanted}.`));
}

/** Without the sets that have only a part of another's: the moments of an optimizer lack the running statistics. */
function complete(sets: readonly WeightSet[]): readonly WeightSet[] {
  const names = new Map(
    sets.map((set) => [set, new Set([...set.members.values()].filter((name) => !name.endsWith(COUNTER)))]),
  );
  const partOf = (a: Set<string>, b: Set<string>) => a.size < b.size && [...a].every((name) => b.has(name));
  return sets.filter((set) => !sets.some((other) => partOf(names.get(set)!, names.get(other)!)));
}
