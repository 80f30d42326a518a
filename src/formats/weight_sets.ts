/**
 * Selects the tensors of a file that belong to a model. Training scripts use arbitrary keys and prefixes (`state_dict`, `module.`,
 * `_orig_mod.`, `model_ema.module.` …) in any order and depth, so none is hard-coded: the prefix of one tensor that every model
 * has, the anchor, identifies each set.
 */

/** A dict of tensors in a file; a safetensors file is one. */
export interface TensorDict {
  /** The keys on the path to the dict, joined by dots; empty at the top level. */
  path: string;
  names: readonly string[];
}

/** One set of weights: the tensors of a dict with a common prefix. */
export interface WeightSet {
  dict: TensorDict;
  prefix: string;
  /** Maps names in the dict to names of the model's tensors. */
  members: ReadonlyMap<string, string>;
}

/** Picks one set of a file. @throws without the file's name */
export type ChooseSet = (dicts: readonly TensorDict[]) => WeightSet;

/** Suffix of BatchNorm's batch counters, which are not used and which some programs do not save. */
const COUNTER = '.num_batches_tracked';

/** Maximum number of sets in one file. */
const MOST_SETS = 64;

/** Path and prefix as a user writes them: `state_dict.model`, or `.` for unprefixed names at the top level of the file. */
export function keyOf({ dict, prefix }: Pick<WeightSet, 'dict' | 'prefix'>): string {
  return [dict.path, prefix.replace(/\.$/, '')].filter((part) => part !== '').join('.') || '.';
}

/** All tensors of a dict under their own names. */
export function wholeDict(dict: TensorDict): WeightSet {
  return { dict, prefix: '', members: new Map(dict.names.map((name) => [name, name])) };
}

/**
 * Makes a chooser of one set of weights.
 * @param anchor a tensor that every model has, such as `head.weight`
 * @param key the set to choose among several, as {@link keyOf} writes it, or a unique prefix of it
 * @returns a function that throws, listing the sets, if there is none, several and no `key`, or `key` matches none
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
  // A name belongs to the longest matching prefix: weights at the top level do not include those under `ema.`.
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

/** The sets with this key, or else those whose keys start with it. */
function named(sets: readonly WeightSet[], key: string): readonly WeightSet[] {
  const wanted = key.replace(/\.$/, '') || '.';
  const exact = sets.filter((set) => keyOf(set) === wanted);
  return exact.length > 0 ? exact : sets.filter((set) => keyOf(set).startsWith(`${wanted}.`));
}

/** Removes sets that are subsets of another, such as an optimizer's moments, which lack the running statistics. */
function complete(sets: readonly WeightSet[]): readonly WeightSet[] {
  const names = new Map(
    sets.map((set) => [set, new Set([...set.members.values()].filter((name) => !name.endsWith(COUNTER)))]),
  );
  const partOf = (a: Set<string>, b: Set<string>) => a.size < b.size && [...a].every((name) => b.has(name));
  return sets.filter((set) => !sets.some((other) => partOf(names.get(set)!, names.get(other)!)));
}
