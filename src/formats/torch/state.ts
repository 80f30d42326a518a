/** Finds the dicts of tensors in a training script's checkpoint, at any depth. */
import { plainOf } from './plain';
import type { TensorDict } from '../weight_sets';
import { FormatError, PickleDict, PickleGlobal, PickleList, PickleObject, PickleTuple, TensorRef } from './values';
import { describe } from './values';
import type { PickleValue } from './values';

/** A dict of the file with tensors, or with objects that are not read. */
export interface FoundDict extends TensorDict {
  entries: Map<string, TensorRef | PickleObject>;
}

/** Maximum depth of the search; checkpoints have at most about six levels. */
const DEEPEST = 16;

/** Maximum length of a path: a small file can repeat long keys. */
const LONGEST = 1000;

/**
 * All dicts with tensors, in the order of the file; a dict with several paths is listed once.
 * @throws FormatError if there are no named tensors, describing the contents
 */
export function tensorDicts(root: PickleValue): FoundDict[] {
  const found: FoundDict[] = [];
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue, path: string, depth: number): void => {
    if (seen.has(value) || depth > DEEPEST || path.length > LONGEST) return;
    seen.add(value);
    if (value instanceof PickleDict) {
      const entries = entriesOf(value);
      if (entries.size > 0) found.push({ path, entries, names: [...entries.keys()] });
    }
    for (const [key, item] of itemsOf(value)) {
      if (typeof item !== 'object') continue;
      const name = typeof key === 'object' ? describe(key) : String(key);
      visit(item, path === '' ? name : `${path}.${name}`, depth + 1);
    }
  };
  visit(root, '', 0);
  if (found.some(hasTensors)) return found;
  throw new FormatError(withoutTensors(root, found[0]));
}

/** True if the dict has a readable tensor. */
export function hasTensors({ entries }: FoundDict): boolean {
  return [...entries.values()].some((entry) => entry instanceof TensorRef);
}

function itemsOf(value: PickleValue): Iterable<[PickleValue, PickleValue]> {
  if (value instanceof PickleDict) return value.entries;
  return value instanceof PickleList || value instanceof PickleTuple ? value.items.entries() : [];
}

function entriesOf(dict: PickleDict): FoundDict['entries'] {
  const entries: FoundDict['entries'] = new Map();
  for (const [key, value] of dict.entries) {
    if (typeof key === 'string') {
      if (value instanceof TensorRef || value instanceof PickleObject) entries.set(key, value);
    } else if (value instanceof TensorRef)
      entries.set(describe(key), new PickleObject(`a tensor under the name ${describe(key)}, expected a text`));
  }
  return entries;
}

function withoutTensors(root: PickleValue, first: FoundDict | undefined): string {
  const [object] = root instanceof PickleObject ? [root] : (first?.entries.values() ?? []);
  if (object instanceof PickleObject) return object.reason;
  if (root instanceof PickleGlobal && root.refusal !== undefined) return root.refusal;
  if (!(root instanceof PickleDict)) return `holds ${describe(root)}, expected a dict of named tensors`;
  const keys = [...root.entries.keys()].slice(0, 5).map((key) => (typeof key === 'string' ? key : describe(key)));
  return `the dict holds no tensors; its keys: ${keys.join(', ').slice(0, 400) || 'none'}`;
}

/** Strings, numbers, plain lists and dicts at the top level of a file: `epoch`, `cfg` (SlowFast's configuration as YAML) … */
export function scalarsOf(root: PickleValue): Map<string, unknown> {
  const extra: ReturnType<typeof scalarsOf> = new Map();
  if (!(root instanceof PickleDict)) return extra;
  for (const [key, value] of root.entries) {
    const plain = plainOf(value);
    if (typeof key === 'string' && plain !== undefined) extra.set(key, plain);
  }
  return extra;
}
