/** Plain data that stands beside the weights, such as SlowFast's configuration as a dict. */
import { PickleDict, PickleList, PickleTuple } from './values';
import type { PickleValue } from './values';

/** Items of all containers together, and levels of them: a configuration has some hundreds, in three. */
const [MOST, DEEPEST] = [10_000, 8];

/** A dict under text keys, a list or a scalar as JSON would have it; undefined where a part is anything else, or too much. */
export function plainOf(value: PickleValue): unknown {
  let items = 0;
  const visit = (item: PickleValue, depth: number): unknown => {
    if (++items > MOST || depth > DEEPEST) return undefined;
    if (typeof item !== 'object' || item === null) return item;
    if (item instanceof PickleList || item instanceof PickleTuple)
      return item.items.slice(0, MOST).map((one) => visit(one, depth + 1));
    if (!(item instanceof PickleDict) || item.entries.size > MOST) return undefined;
    const entries = [...item.entries].filter((entry): entry is [string, PickleValue] => typeof entry[0] === 'string');
    return Object.fromEntries(entries.map(([key, one]) => [key, visit(one, depth + 1)]));
  };
  return visit(value, 0);
}
