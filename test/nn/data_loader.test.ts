import { rngState } from '../../src/core/generator';
import { scope } from '../../src/core/scope';
import { tensor, type Tensor } from '../../src/core/tensor';
import { rand } from '../../src/core/create';
import { collate, DataLoader } from '../../src/nn/data_loader';
import { manualSeed } from '../../src/nn/init';
import { Linear } from '../../src/nn';

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const batches: T[] = [];
  for await (const batch of from) batches.push(batch);
  return batches;
}
const numbers = (batches: unknown[]) => batches.map((batch) => Array.from((batch as Tensor).data()));

test('arrays, promises, generators and asynchronous ones, with and without the last batch', async () => {
  async function* slow() {
    for (const n of [1, 2, 3]) yield await Promise.resolve(n);
  }
  const sources = [[1, 2, 3], [1, 2, 3].map((n) => Promise.resolve(n)), new Set([1, 2, 3]), slow()];
  for (const source of sources)
    expect(numbers(await all(new DataLoader<number>(source, { batchSize: 2 })))).toEqual([[1, 2], [3]]);
  const whole = new DataLoader([1, 2, 3], { batchSize: 2, dropLast: true });
  expect([whole.length, numbers(await all(whole))]).toEqual([1, [[1, 2]]]);
  expect(new DataLoader(new Set([1])).length).toBeUndefined();
  await expect(all(new DataLoader([Promise.reject(new Error('unreadable'))]))).rejects.toThrow('unreadable');
});

test('one seed decides the order, parameters and numbers; each epoch has an order of its own', async () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  const run = async () => {
    manualSeed(4);
    const loader = new DataLoader(items, { shuffle: true, batchSize: 20 });
    const orders = [...numbers(await all(loader)), ...numbers(await all(loader))];
    return { orders, weight: [...new Linear(2, 2).weight.floats()], drawn: [...rand([3]).floats()], state: rngState() };
  };
  const first = await run();
  expect(await run()).toEqual(first);
  expect(first.orders[0]).not.toEqual(first.orders[1]);
  expect([...first.orders[0]!].sort((a, b) => a - b)).toEqual(items);
});

test('collate stacks tensors, makes i32 of labels, and goes into arrays and objects', () => {
  scope(() => {
    const item = (i: number) => ({ x: tensor([i, i + 1]), pair: [i, `name ${i}`] });
    const batch = collate([item(0), item(5)]) as { x: Tensor; pair: [Tensor, string[]] };
    expect(batch.x.toArray()).toEqual([[0, 1], [5, 6]]); // prettier-ignore
    expect([batch.pair[0].dtype, [...batch.pair[0].data()], batch.pair[1]]).toEqual(['i32', [0, 5], ['name 0', 'name 5']]); // prettier-ignore
    expect(() => collate([1, 0.5])).toThrow('collate: numbers become i32, which cannot hold 0.5');
  });
});

test('what cannot be shuffled, and bad sizes, are refused', () => {
  expect(() => new DataLoader(new Set([1]), { shuffle: true })).toThrow('DataLoader: only an array can be shuffled');
  expect(() => new DataLoader([1], { batchSize: 0 })).toThrow(
    'DataLoader: batchSize must be a whole number of at least 1, got 0',
  );
});
