import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backward, enableGrad, isGradEnabled, noGrad } from '../../src/core/autograd';
import { withLayer } from '../../src/core/dispatch';
import { add, mul, reshape, sum } from '../../src/ops';
import { memory, releaseMemoryCache, resetPeakMemory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { full, ones, tensor, zeros, type Tensor } from '../../src/core/tensor';

let live = 0;
beforeEach(() => void (live = memory().live));
afterEach(() => expect(memory().live).toBe(live));

test('views and detached tensors share memory until the last is disposed', () => {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    [2, 2],
    { requiresGrad: true },
  );
  const block = memory().live;
  const [flat, detached] = [x.view([4]), x.detach()];
  expect(memory().live).toBe(block);
  flat.copyFrom([5, 6, 7, 8]);
  expect([x.toArray(), detached.requiresGrad, detached.node]).toEqual([
    [
      [5, 6],
      [7, 8],
    ],
    false,
    null,
  ]);
  x.dispose();
  x.dispose();
  expect([memory().live, [...detached.floats()]]).toEqual([block, [5, 6, 7, 8]]);
  detached.dispose();
  flat.dispose();
  expect(memory().live).toBe(live);
});

const uses: [string, (t: Tensor) => unknown][] = [
  ['data', (t) => t.data()],
  ['view', (t) => t.view([6])],
  ['detach', (t) => t.detach()],
  ['copyFrom', (t) => t.copyFrom(new Float32Array(6))],
  ['an op', (t) => add(t, 1)],
  ['the second operand of an op', (t) => mul(2, t)],
];
test.each(uses)('%s after dispose names the tensor and its shape', (_, use) => {
  scope(() => {
    const t = zeros([2, 3]);
    t.dispose();
    expect(() => use(t)).toThrow('a tensor of shape [2, 3] was freed: it is no longer usable');
    t.name = 'head.weight';
    expect(() => use(t)).toThrow('tensor head.weight [2, 3] was freed');
    expect([t.disposed, String(t)]).toEqual([true, 'Tensor([2, 3], f32, cpu, freed)']);
  });
});

test('nested scopes free their tensors, except returned and persistent ones', () => {
  let [inner, outer, persistent]: Tensor[] = [];
  const kept = scope(() => {
    outer = zeros([10]);
    const given = scope(() => {
      inner = zeros([10]);
      persistent = zeros([10]);
      persistent.persistent = true;
      return { deep: [ones([3])] };
    });
    expect([inner!.disposed, outer!.disposed]).toEqual([true, false]);
    return given;
  });
  expect([outer!.disposed, persistent!.disposed, kept.deep[0]!.toArray()]).toEqual([true, false, [1, 1, 1]]);
  persistent!.dispose();
  kept.deep[0]!.dispose();
  expect(() => scope(async () => zeros([1]))).toThrow('scope: the body must not be asynchronous');
});

test('noGrad builds no graph, and restores the mode also after an error', () =>
  scope(() => {
    const x = tensor([1, 2], [2], { requiresGrad: true });
    const made = noGrad(() => [sum(x), enableGrad(() => sum(x))]);
    expect(made.map((t) => t.requiresGrad)).toEqual([false, true]);
    expect(() => noGrad(() => void tensor([[1], [2, 3]]))).toThrow(/ragged/);
    expect(isGradEnabled()).toBe(true);
    backward(made[1]!);
    expect(x.grad!.toArray()).toEqual([1, 1]);
    x.grad!.dispose();
  }));

test.each([
  ['noGrad', noGrad],
  ['enableGrad', enableGrad],
  ['scope', scope],
  ['withLayer', (body: () => unknown) => withLayer({ over: () => ({}) }, body)],
])('%s refuses an asynchronous body, and its error is the only one', async (name, run) => {
  const before = isGradEnabled();
  const thenable = { then: () => undefined };
  for (const body of [async () => 1, () => Promise.reject(new Error('later')), () => thenable])
    expect(() => run(body)).toThrow(`${name}: the body must not be asynchronous`);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isGradEnabled()).toBe(before);
});

test('a tensor keeps its shape when the array it came from changes', () => {
  scope(() => {
    const shape = [2, 3];
    const x = zeros([6], { requiresGrad: true });
    const made = [x.view(shape), reshape(x, shape), zeros(shape), tensor(new Float32Array(6), shape), full(shape, 1)];
    shape[0] = 7;
    shape.push(9);
    expect(made.map((t) => [...t.shape])).toEqual(made.map(() => [2, 3]));
    backward(sum(made[1]!));
    expect(x.grad!.shape).toEqual([6]);
    x.grad!.dispose();
  });
});

test('live, cached, peak and the number of blocks follow what is made and freed', () => {
  releaseMemoryCache();
  resetPeakMemory();
  const before = memory();
  expect([before.cached, before.peak]).toEqual([0, before.live]);
  const made = [zeros([1 << 16]), zeros([1 << 16])];
  const bytes = 2 * 4 * (1 << 16);
  expect(memory()).toEqual({ live: live + bytes, cached: 0, peak: live + bytes, liveBlocks: before.liveBlocks + 2 });
  made.forEach((t) => t.dispose());
  expect(memory()).toEqual({ live, cached: bytes, peak: live + bytes, liveBlocks: before.liveBlocks });
  const again = zeros([1 << 16]);
  expect(memory()).toMatchObject({ live: live + bytes / 2, cached: bytes / 2, peak: live + bytes });
  again.dispose();
  resetPeakMemory();
  releaseMemoryCache();
  expect(memory()).toEqual({ live, cached: 0, peak: live, liveBlocks: before.liveBlocks });
});

test('blocks of all sizes keep their numbers while others come, go, and go back to the system', () => {
  const lengths = [100, 16384, 20000, 300000, 1 << 19, 2097151, 2097152, 3000000]; // below and within what shares pages
  const kept: Tensor[] = [];
  for (let round = 0; round < 40; round++) {
    const length = lengths[(round * 5) % lengths.length]!;
    kept.push(full([length], round));
    if (round % 3 === 2) kept.splice((round * 7) % kept.length, 1)[0]!.dispose();
    if (round % 8 === 7) releaseMemoryCache();
    for (const t of kept) {
      const values = t.floats();
      expect([values[0], values[values.length - 1]]).toEqual([values[values.length >> 1], values[values.length >> 1]]);
    }
  }
  expect(new Set(kept.map((t) => t.floats()[0])).size).toBe(kept.length);
  kept.forEach((t) => t.dispose());
  releaseMemoryCache();
});

test('the memory of one block is reused for many, and that of many for one', () => {
  const script = path.join(__dirname, '..', 'support', 'run_pieces.ts');
  const out = execFileSync(process.execPath, ['--import', 'tsx', script], { encoding: 'utf8' });
  expect(out).toBe('0\n'.repeat(8));
});

test('fill writes every element once, piece by piece', () => {
  const length = 2 * 65536 + 7;
  const pieces: [first: number, length: number][] = [];
  const t = zeros([length], { dtype: 'i32' }).fill((piece, first) => {
    pieces.push([first, piece.length]);
    for (let i = 0; i < piece.length; i++) piece[i] = first + i;
  });
  expect(pieces).toEqual([
    [0, 65536],
    [65536, 65536],
    [131072, 7],
  ]);
  expect(t.data()).toEqual(Int32Array.from({ length }, (_, i) => i));
  t.dispose();
});
