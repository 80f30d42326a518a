import { reweight } from '../../ops/reweight';
import { array64, type Array64, type OpCase } from './case';

function oracle({ weights, ...branches }: Record<string, Array64>): Array64 {
  const list = Object.values(branches);
  const { shape } = list[0]!;
  const [c, clip] = [shape[shape.length - 1]!, list[0]!.data.length / shape[0]!];
  return array64(shape, (at) => {
    const place = (Math.floor(at / clip) * c + (at % c)) * list.length;
    return list.reduce((sum, branch, i) => sum + branch.data[at]! * weights!.data[place + i]!, 0);
  });
}

/** Creates a case. */
export function reweightCase(shape: readonly number[], count: number, frozen: readonly string[] = []): OpCase {
  const names = Array.from({ length: count }, (_, i) => `branch${i}`);
  const inputs = {
    weights: { shape: [shape[0]!, shape[shape.length - 1]!, count] },
    ...Object.fromEntries(names.map((name) => [name, { shape, grad: !frozen.includes(name) }])),
  };
  return {
    name: `${count} of [${shape.join(', ')}]${frozen.length > 0 ? `, no gradient of ${frozen.join(', ')}` : ''}`,
    inputs,
    forward: ({ weights, ...branches }) => reweight(Object.values(branches), weights!),
    oracle,
  };
}

/** One to three branches, odd widths, several clips, no inner dimensions, more tokens than a block. */
export const reweightCases = [
  reweightCase([1, 2, 3, 3, 5], 3),
  reweightCase([3, 4, 17], 2),
  reweightCase([2, 3, 33], 1),
  reweightCase([4, 7], 3),
  reweightCase([2, 70, 3], 2),
  reweightCase([2, 5, 9], 3, ['branch1']),
];
