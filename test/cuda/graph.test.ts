import { noGrad } from '../../src/core/autograd';
import { native, type Graph } from '../../src/core/native';
import { linear } from '../../src/ops/linear';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { lerp } from '../../src/optim';
import { empty, tensor, type Tensor } from '../../src/core/tensor';
import { uniform } from '../../src/bench/op_cases/random';

const N = 33;
const inputs = () => ({ x: tensor(uniform(1, 5 * N), [5, N]), weight: tensor(uniform(2, N * N), [N, N]) });
const ofX = (seed: number) => uniform(seed, 5 * N);

test('what is recorded runs when it is replayed, on the numbers that are there then', () => {
  scope(() =>
    noGrad(() => {
      const { x, weight } = inputs();
      let y!: Tensor;
      const graph = native.cudaRecord(() => void (y = linear(x, weight, null)));
      for (const seed of [3, 4]) {
        x.copyFrom(ofX(seed));
        native.cudaReplay(graph);
        expect([...y.floats()]).toEqual([...linear(tensor(ofX(seed), [5, N]), weight, null).floats()]);
      }
      native.cudaForget(graph);
      expect(() => native.cudaReplay(graph)).toThrow('cudaReplay: graph: expected a live graph, got a freed one');
    }),
  );
});

test('memory of a graph is not reused until the graph is destroyed', () => {
  const { live } = memory('cuda');
  scope(() =>
    noGrad(() => {
      const { x, weight } = inputs();
      let y!: Tensor;
      // The two inner results are given back while they are recorded, and x's copy before that.
      const graph = native.cudaRecord(() => {
        y = scope(() => linear(linear(linear(x, weight, null), weight, null), weight, null));
      });
      native.cudaReplay(graph);
      const expected = [...y.floats()];
      const others = Array.from({ length: 8 }, (_, i) => tensor(ofX(i), [5, N]));
      native.cudaReplay(graph);
      others.forEach((t, i) => expect([...t.floats()]).toEqual([...ofX(i)]));
      others.forEach((t) => t.copyFrom(ofX(99)));
      native.cudaReplay(graph);
      expect([...y.floats()]).toEqual(expected);
      y.dispose();
      const after = tensor(ofX(7), [5, N]);
      native.cudaReplay(graph);
      expect([...after.floats()]).toEqual([...ofX(7)]);
      native.cudaForget(graph);
    }),
  );
  expect(memory('cuda').live).toBe(live);
});

test('graphs that take turns share the memory that neither holds, and lists of arguments stay as recorded', () => {
  const { live } = memory('cuda');
  scope(() =>
    noGrad(() => {
      const { x, weight } = inputs();
      const [y, z] = [empty([5, N]), empty([5, N])];
      const body = (into: Tensor) => () =>
        scope(() => lerp([into], [linear(linear(x, weight, null), weight, null)], 1));
      const first = native.cudaRecord(body(y));
      native.memoryReleaseCache();
      const [one, second] = [memory('cuda'), native.cudaRecord(body(z), first)];
      expect(memory('cuda')).toEqual(one);
      const expected = [...linear(linear(x, weight, null), weight, null).floats()];
      const replay = (graph: Graph, into: Tensor) => {
        into.copyFrom(ofX(50));
        const others = Array.from({ length: 12 }, (_, i) => tensor(ofX(i), [5, N]));
        native.cudaReplay(graph);
        into.floats().forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 5));
        others.forEach((t, i) => expect([...t.floats()]).toEqual([...ofX(i)]));
      };
      replay(first, y);
      replay(second, z);
      replay(first, y);
      native.cudaForget(first); // its memory is still the other's
      replay(second, z);
      expect(() => native.cudaRecord(body(z), first)).toThrow(
        'cudaRecord: graph: expected a live graph, got a freed one',
      );
      native.cudaForget(second);
    }),
  );
  expect(memory('cuda').live).toBe(live);
});

test('a copy between host and GPU in a recording is one clear error, and ends it', () => {
  scope(() => {
    const { x, weight } = inputs();
    expect(() => native.cudaRecord(() => void x.floats())).toThrow(
      /a copy to the host cannot be recorded into a CUDA graph/,
    );
    expect(() => native.cudaRecord(() => x.copyFrom(ofX(1)))).toThrow(/a copy from the host cannot be recorded/);
    expect(() => native.cudaRecord(() => native.cudaSynchronize())).toThrow(/waiting for the GPU cannot be recorded/);
    expect(() => native.cudaRecord(() => native.cudaForget(native.cudaRecord(() => undefined)))).toThrow(
      /a recording cannot/,
    );
    expect(() =>
      native.cudaRecord(() => {
        throw new Error('of the body');
      }),
    ).toThrow('of the body');
    expect(linear(x, weight, null).shape).toEqual([5, N]);
  });
  expect(() => native.cudaReplay({} as never)).toThrow('graph: expected a graph of cudaRecord');
});

test('the timer, the facts and the limits are numbers', () => {
  const facts = native.cudaFacts();
  expect(facts.multiprocessors).toBeGreaterThan(0);
  native.cudaStartTimer();
  native.cudaFlushCache();
  native.cudaDelay();
  expect(native.cudaStopTimer()).toBeGreaterThan(0);
  expect(native.fmaPeak(0.01, 'cuda')).toBeGreaterThan(0);
});
