/** Finds the weights in what a training script saved. */
import { FormatError, PickleDict, TensorRef, describe } from './values';
import type { PickleValue } from './values';

/** How the weights were wrapped: `plain` is the dict itself, the others are named after the key that held it. */
export type Style = 'plain' | 'model_state' | 'state_dict' | 'model';

/** The weights and what stands beside them. */
export interface State {
  style: Style;
  /** A prefix that every name had and that was taken away: `module.` of data-parallel training, or nothing. */
  prefix: string;
  tensors: Map<string, TensorRef>;
  /** Texts, numbers and the like beside the weights: `epoch`, `cfg` (SlowFast's configuration as YAML) … */
  extra: Map<string, string | number | bigint | boolean>;
  /** Names of the state dict whose value is not a tensor. */
  ignored: string[];
}

/** SlowFast writes `model_state`, DeiT `model`, many others `state_dict`. */
const WRAPPERS = ['model_state', 'state_dict', 'model'] as const;
const PREFIX = 'module.';

/** @throws FormatError where there are no tensors under names */
export function findState(root: PickleValue): State {
  if (!(root instanceof PickleDict)) throw new FormatError(`holds ${describe(root)}, expected a dict of named tensors`);
  const style = WRAPPERS.find((key) => root.entries.get(key) instanceof PickleDict) ?? 'plain';
  const dict = style === 'plain' ? root : (root.entries.get(style) as PickleDict);
  const { tensors, ignored } = split(dict, style);
  const prefix = commonPrefix(tensors);
  const named = prefix ? stripped(tensors, prefix.length) : tensors;
  return { style, prefix, tensors: named, extra: scalarsOf(root), ignored };
}

function split(dict: PickleDict, style: Style): Pick<State, 'tensors' | 'ignored'> {
  const tensors = new Map<string, TensorRef>();
  const ignored: string[] = [];
  for (const [name, value] of dict.entries) {
    if (!(value instanceof TensorRef)) ignored.push(describeKey(name));
    else if (typeof name === 'string') tensors.set(name, value);
    else throw new FormatError(`a tensor under the name ${describe(name)}, expected a text`);
  }
  if (tensors.size > 0) return { tensors, ignored };
  const where = style === 'plain' ? 'the dict' : `the dict ${style}`;
  throw new FormatError(`${where} holds no tensors; its keys: ${ignored.slice(0, 5).join(', ') || 'none'}`);
}

function describeKey(key: PickleValue): string {
  return typeof key === 'string' ? key.slice(0, 80) : describe(key);
}

/** `module.` as often as all names start with it. */
function commonPrefix(tensors: Map<string, TensorRef>): string {
  const names = [...tensors.keys()];
  let prefix = '';
  while (prefix.length < 70 && names.every((name) => name.startsWith(prefix + PREFIX))) prefix += PREFIX;
  return prefix;
}

function stripped(tensors: Map<string, TensorRef>, length: number): Map<string, TensorRef> {
  return new Map([...tensors].map(([name, tensor]) => [name.slice(length), tensor]));
}

function scalarsOf(root: PickleDict): State['extra'] {
  const extra: State['extra'] = new Map();
  for (const [key, value] of root.entries) {
    const scalar = typeof value === 'object' ? undefined : value;
    if (typeof key === 'string' && scalar !== undefined) extra.set(key, scalar);
  }
  return extra;
}
