/** Converts plain data next to the weights, such as SlowFast's configuration as a dict. */
import { PickleDict, PickleList, PickleTuple } from './values';
import type { PickleValue } from './values';

/** Limits on the total number of items and on nesting; a configuration has some hundreds in three levels. */
const [MOST, DEEPEST] = [10_000, 8];

/** Converts dicts with text keys, lists and scalars to JSON values; undefined if any part is of another type or a limit is exceeded. */
export function plainOf(value: PickleValue): unknown {
  let items = 0;
  const visit = (item: PickleValue, depth: number): unknown => {
    if (++items > MOST || depth > DEEPEST) return undefined;
    if (typeof item !== 'object' || item === null)
      return typeof item === 'bigint' && Number.isSafeInteger(Number(item)) ? Number(item) : item;
    if (item instanceof PickleList || item instanceof PickleTuple)
      return item.items.slice(0, MOST).map((one) => visit(one, depth + 1));
    if (!(item instanceof PickleDict) || item.entries.size > MOST) return undefined;
    const entries = [...item.entries].filter((entry): entry is [string, PickleValue] => typeof entry[0] === 'string');
    return Object.fromEntries(entries.map(([key, one]) => [key, visit(one, depth + 1)]));
  };
  return visit(value, 0);
}
