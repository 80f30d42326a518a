import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { noGrad } from '../../src/core/autograd';
import { randn } from '../../src/core/create';
import { dryRun } from '../../src/core/dry_run';
import { forwardAsync } from '../../src/core/forward_async';
import { native, type RunStep } from '../../src/core/native';
import { naivePlugin, withPlugin } from '../../src/core/plugins';
import { memory, resetPeakMemory, setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { empty, ones, tensor, type Tensor } from '../../src/core/tensor';
import type { MorphMLP } from '../../src/models';
import { create } from '../../src/models';
import type { Module } from '../../src/nn';
import { BatchNorm, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '../../src/nn';
import { manualSeed } from '../../src/nn/init';
import * as ops from '../../src/ops';
import { SGD } from '../../src/optim';

let live = 0;
beforeEach(() => {
  manualSeed(1);
  live = memory().live;
});
afterEach(() => expect(memory().live).toBe(live));

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** The bits of a tensor, which is freed. */
function bits(t: Tensor): number[] {
  const data = t.data();
  t.dispose();
  return [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

/** Something that takes about half a second, also in a build with sanitizers. */
const PRODUCTS = process.env['MORPHMLP_SANITIZED'] ? 20 : 400;
const slow = (x: Tensor): Tensor => {
  let y = x;
  for (let i = 0; i < PRODUCTS; i++) {
    const next = y.matmul(x);
    if (y !== x) y.dispose();
    y = next;
  }
  return y;
};
const slowInput = (): Tensor => scope(() => randn([256, 256]).mul(1 / 16));

const cnn = (): Module & { forward(x: Tensor): Tensor } =>
  new Sequential(
    new Conv2d(3, 8, 3, { padding: 1 }),
    new BatchNorm2d(8),
    new ReLU(),
    new MaxPool2d(2),
    new Dropout(0.5),
    new Flatten(),
    new Linear(8 * 8 * 8, 5),
  );
const image = (): MorphMLP => create('quickstart-image', { numClasses: 3 });
const inBf16 = (): MorphMLP => Object.assign(create('quickstart', { numClasses: 3 }), { precision: 'bf16' as const });

test.each([
  ['the network for pictures', image, [2, 3, 64, 64]],
  ['the network for videos', () => create('quickstart', { numClasses: 3 }), [1, 3, 16, 64, 64]],
  ['the network in bf16', inBf16, [1, 3, 16, 64, 64]],
  ['a CNN', cnn, [2, 3, 16, 16]],
])('the bits of forward: %s', async (_, make, shape) => {
  const module = make().eval() as Module & { forward(x: Tensor): Tensor };
  const x = randn(shape);
  const wanted = bits(scope(() => noGrad(() => module.forward(x))));
  const found = await forwardAsync(module, x);
  expect(found.requiresGrad).toBe(false);
  expect(found.node).toBeNull();
  expect(bits(found)).toEqual(wanted);
  module.dispose();
  x.dispose();
});

test('takes little more memory than forward', async () => {
  const [network, x] = [image().eval(), randn([2, 3, 64, 64])];
  const peakOf = async (body: () => Promise<Tensor> | Tensor) => {
    resetPeakMemory();
    (await body()).dispose();
    return memory().peak - live;
  };
  const sync = await peakOf(() => scope(() => noGrad(() => network.forward(x))));
  expect(await peakOf(() => forwardAsync(network, x))).toBeLessThan(1.5 * sync); // the activations of all layers: 4.6 times
  network.dispose();
  x.dispose();
});

test('random numbers are those of forward, and the generator moves on', async () => {
  const [module, x] = [new Dropout(0.5), ones([1000])];
  const two = () => [0, 1].map(() => bits(scope(() => noGrad(() => module.forward(x)))));
  const wanted = two();
  manualSeed(1);
  const found = [await forwardAsync(module, x), await forwardAsync(module, x)].map(bits);
  expect(found).toEqual(wanted);
  expect(found[0]).not.toEqual(found[1]);
  x.dispose();
});

test('values that a forward writes land between the kernels before and after', async () => {
  const forward = (x: Tensor): Tensor[] => {
    const before = scope(() => x.add(1).mul(3).sum(0)); // frees memory of the shape of the tensors below
    const written = tensor([[1, 2], [3, 4]]); // prettier-ignore
    const filled = ops.add(written, x);
    written.dispose();
    return [before, filled, ones([2, 2]), tensor(Int32Array.of(1, 0)), x];
  };
  const x = tensor([[5, 6], [7, 8]]); // prettier-ignore
  const wanted = scope(() => noGrad(() => forward(x).map((t) => t.toArray())));
  const found = await forwardAsync({ forward }, x);
  expect(found.map((t) => t.toArray())).toEqual(wanted);
  expect(wanted[1]).toEqual([[6, 8], [10, 12]]); // prettier-ignore
  expect(found[4]).toBe(x);
  for (const t of found) t.dispose();
});

describe('while it computes', () => {
  test('the event loop turns, and other ops run', async () => {
    const x = slowInput();
    let done = false;
    const pending = forwardAsync({ forward: slow }, x).finally(() => (done = true));
    let turns = 0;
    while (!done) {
      await turn();
      turns += 1;
      if (turns === 3) expect(scope(() => x.mul(2).sum().item())).toBeCloseTo(2 * scope(() => x.sum().item()), 3);
    }
    expect(turns).toBeGreaterThan(3);
    expect(bits(await pending)).toEqual(bits(scope(() => noGrad(() => slow(x)))));
    x.dispose();
  });

  test('its inputs and weights can be read and freed, not written', async () => {
    const [module, x] = [new Linear(256, 256), slowInput()];
    const forward = (t: Tensor): Tensor => module.forward(slow(t));
    const wanted = bits(scope(() => noGrad(() => forward(x))));
    const pending = forwardAsync({ forward }, x);
    const values = x.floats();
    expect(() => x.copyFrom(values)).toThrow('bufferWrite: the buffer would be written, but is in use by forwardAsync');
    const optimizer = new SGD(module.parameters(), { lr: 1 });
    scope(() => module.forward(x).sum().backward());
    expect(() => optimizer.step()).toThrow(/sgd_step: argument parameters would be written, but is in use/);
    for (const p of module.parameters()) p.grad!.dispose();
    expect(module.weight.floats()[0]).toEqual(expect.any(Number));
    module.dispose();
    x.dispose();
    expect(bits(await pending)).toEqual(wanted);
    optimizer.dispose();
  });

  test('what it makes cannot be used before it is done', async () => {
    let made: Tensor | undefined;
    const forward = (x: Tensor): Tensor => (made = slow(x));
    const x = slowInput();
    const pending = forwardAsync({ forward }, x);
    const message = 'is being computed by forwardAsync: await it first';
    expect(() => made!.floats()).toThrow(`bufferRead: the buffer ${message}`);
    expect(() => scope(() => made!.add(1))).toThrow(`argument a ${message}`);
    await expect(forwardAsync({ forward: (t: Tensor) => t.add(1) }, made!)).rejects.toThrow(`an input ${message}`);
    expect(await pending).toBe(made);
    scope(() => made!.add(1).floats());
    x.dispose();
    made!.dispose();
  });

  test('the number of threads may change, with the same bits, and the instruction set may not', async () => {
    const [x, count, isa] = [slowInput(), threads(), native.isa()];
    const wanted = bits(scope(() => noGrad(() => slow(x))));
    const pending = forwardAsync({ forward: slow }, x);
    await turn();
    const refused = 'setIsa: forwardAsync computes with the present one: await it first';
    for (const n of [1, 3, 2, count]) {
      setThreads(n);
      expect(() => native.setIsa(isa)).toThrow(refused);
      await turn();
    }
    expect(bits(await pending)).toEqual(wanted);
    native.setIsa(isa);
    x.dispose();
  });

  test('a second forward waits for its turn, with the weights of its call', async () => {
    const [module, x] = [image().eval(), randn([1, 3, 64, 64])];
    const [wanted, heavy] = [bits(scope(() => noGrad(() => module.forward(x)))), slowInput()];
    const order: string[] = [];
    const first = forwardAsync({ forward: slow }, heavy).finally(() => order.push('first'));
    const others = ['second', 'third'].map((name) => forwardAsync(module, x).finally(() => order.push(name)));
    x.dispose();
    expect(() => module.parameters()[0]!.copyFrom(module.parameters()[0]!.floats())).toThrow('in use by forwardAsync');
    for (const result of await Promise.all(others)) expect(bits(result)).toEqual(wanted);
    (await first).dispose();
    expect(order).toEqual(['first', 'second', 'third']);
    module.parameters()[0]!.copyFrom(module.parameters()[0]!.floats());
    module.dispose();
    heavy.dispose();
  });
});

describe('an AbortSignal', () => {
  test('that was aborted before', async () => {
    const forward = jest.fn();
    await expect(forwardAsync({ forward }, 0, { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
    expect(forward).not.toHaveBeenCalled();
  });

  test('ends a forward under way, and one that waits at once', async () => {
    const x = slowInput();
    scope(() => noGrad(() => slow(x))).dispose(); // x keeps itself packed for products
    const before = memory().live;
    const [first, second] = [new AbortController(), new AbortController()];
    const order: string[] = [];
    const note = (name: string) => (error: Error) => void order.push(`${name} ${error.name}`);
    const run = ({ signal }: AbortController) => forwardAsync({ forward: slow }, x, { signal });
    const running = run(first).catch(note('first'));
    const waiting = run(second).catch(note('second'));
    await turn();
    second.abort();
    await waiting;
    expect(order).toEqual(['second AbortError']);
    first.abort();
    await running;
    expect(order).toEqual(['second AbortError', 'first AbortError']);
    expect(memory().live).toBe(before);
    x.copyFrom(x.floats()); // nobody uses it any more
    (await forwardAsync({ forward: slow }, x)).dispose(); // the queue goes on
    x.dispose();
  });

  test('gives its reason', async () => {
    const x = slowInput();
    const stop = new AbortController();
    const pending = forwardAsync({ forward: slow }, x, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    x.dispose();
  });
});

test('runCancel ends a run between two kernels', async () => {
  const [a, b, y] = [slowInput(), empty([256, 256]), empty([4])];
  const product: RunStep = ['linear_forward', 256, 256, 256, false, a.handle, a.handle, null, b.handle, null];
  const steps: RunStep[] = [...Array<RunStep>(300).fill(product), ['gelu_forward', 4, b.handle, y.handle]];
  const run = native.runPrepare(steps, [b.handle, y.handle]);
  const done = native.runStart(run);
  await turn();
  native.runCancel(run);
  expect(await done).toBeUndefined(); // without the last step, which would fail
  expect(native.bufferVersion(y.handle)).toBe(0);
  expect(() => native.runStart(run)).toThrow('runStart: it was started before');
  const whole = native.runPrepare(steps.slice(-2), [b.handle, y.handle]);
  expect(await native.runStart(whole)).toMatch(/^gelu_forward: argument x: expected 4 x f32, got 65536 x f32/);
  for (const t of [a, b, y]) t.dispose();
});

test('rejects with the error of a kernel, and frees everything', async () => {
  const x = ones([4, 4]);
  const forward = (t: Tensor) => ({ y: t.mul(2), rows: ops.indexSelect(t.add(1), tensor(Int32Array.of(1, 9))) });
  await expect(forwardAsync({ forward }, x)).rejects.toThrow('index 9 at position 1 is outside 0 to 3');
  await expect(forwardAsync({ forward: (t: Tensor) => t.matmul(ones([3, 3])) }, x)).rejects.toThrow(/^matmul/);
  expect(memory().live).toBe(live + 64);
  (await forwardAsync({ forward: (t: Tensor) => t.mul(2) }, x)).dispose();
  x.dispose();
});

describe('refuses', () => {
  const norm = new BatchNorm(4);
  const outside = empty([2, 4]);
  test.each<[string, (x: Tensor) => unknown, string]>([
    ['a forward that reads', (x) => x.sum().item(), 'the forward reads values that are not computed yet'],
    ['a forward that writes', () => outside.copyFrom(Array(8).fill(1)), 'overwrites a tensor made outside of it'],
    ['a norm that trains', (x) => norm.forward(x), 'would be written, but is in use by forwardAsync'],
    ['an asynchronous forward', async (x) => Promise.resolve(x), 'the body must not be asynchronous'],
    ['a forward that throws', () => { throw new Error('mine'); }, 'mine'], // prettier-ignore
  ])('%s', async (_, forward, message) => {
    const x = ones([2, 4]);
    await expect(forwardAsync({ forward }, x)).rejects.toThrow(message);
    x.dispose();
  });

  test('what stands between the engine and the device', async () => {
    const x = ones([2, 4]);
    const inside = (): Promise<Tensor> => forwardAsync({ forward: (t: Tensor) => ops.gelu(t) }, x);
    const pending: Promise<unknown>[] = [];
    const start = (): void => void pending.push(expect(inside()).rejects.toThrow('forwardAsync: not inside of'));
    withPlugin(naivePlugin('gelu'), start);
    dryRun(start);
    expect(pending).toHaveLength(2);
    await Promise.all(pending);
    x.dispose();
  });

  test('wrong options', async () => {
    const call = (options: object) => forwardAsync(norm, outside, options);
    await expect(call({ sginal: 1 })).rejects.toThrow("forwardAsync: unknown option 'sginal', expected signal");
    await expect(call({ signal: 1 })).rejects.toThrow('forwardAsync: signal must be an AbortSignal');
  });
});

describe('does not wait for the forward', () => {
  const forward = `
    const { forwardAsync, randn } = require('${path.join(__dirname, '..', '..', 'dist')}');
    const forward = (x) => Array.from({ length: 20000 }).reduce(() => (x.matmul(x).dispose(), x));
    const pending = forwardAsync({ forward }, randn([512, 512]));`;
  const worker = (end: string): string => `
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(${JSON.stringify(`${forward} require('node:worker_threads').parentPort.on('message', () => { ${end} }).postMessage(0)`)}, { eval: true });
    worker.once('error', () => undefined);`;
  const run = (program: string) => spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 60_000 });

  test('a process that exits', () => {
    const { status, stderr } = run(`${forward} setTimeout(() => process.exit(3), 50);`);
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
  });

  test('a process that exits while its worker computes', () => {
    const { status, stderr } = run(
      `${worker('')} worker.once('message', () => setTimeout(() => process.exit(3), 50));`,
    );
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
  });

  test.each([
    ['is terminated', '', 'worker.terminate()', 1],
    ['exits', 'process.exit(4)', 'worker.postMessage(0)', 4],
    ['throws', "throw new Error('mine')", 'worker.postMessage(0)', 1],
  ])('a worker that %s; the process computes on', (_, inside, outside, code) => {
    const { status, stderr, stdout } = run(`${worker(inside)}
      worker.once('message', () => setTimeout(() => ${outside}, 50));
      worker.once('exit', async (code) => {
        const { forwardAsync, ones } = require('${path.join(__dirname, '..', '..', 'dist')}');
        const y = await forwardAsync({ forward: (x) => x.matmul(x) }, ones([2, 2]));
        console.log(code, y.toArray().flat().join());
      });`);
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: '', stdout: `${code} 2,2,2,2\n` });
  });
});
