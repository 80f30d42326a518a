import * as m from '../../src';

const x = m.ones([2, 2]);
const wrong = <T>(options: unknown) => options as T;

test.each([
  [
    () => m.models.create('image-t', wrong({ num_classes: 3 })),
    "model 'image-t': unknown option 'num_classes', expected kind",
  ],
  [() => m.zeros([1], wrong({ dtyp: 'i32' })), "tensor: unknown option 'dtyp', expected device, dtype, requiresGrad"],
  [() => m.tensor([1], [1], wrong(true)), 'tensor: expected an object of options, got true'],
  [() => m.sum(x, wrong({ dim: 1 })), "sum: unknown option 'dim', expected axis, keepDims"],
  [() => m.max(x, wrong({ axes: 1 })), "max: unknown option 'axes', expected axis, keepDims"],
  [
    () => m.variance(x, wrong({ unbiased: false })),
    "variance: unknown option 'unbiased', expected axis, keepDims, correction",
  ],
  [() => m.crossEntropy(x, x, wrong({ label_smoothing: 0.1 })), "crossEntropy: unknown option 'label_smoothing'"],
  [() => m.crossEntropy(x, x, wrong(0.1)), 'crossEntropy: expected an object of options, got 0.1'],
  [() => m.mseLoss(x, x, wrong({ reduce: 'sum' })), "mseLoss: unknown option 'reduce', expected reduction"],
  [
    () => m.conv2d(x, x, null, wrong({ dilation: 2 })),
    "conv2d: unknown option 'dilation', expected stride, padding, groups",
  ],
  [
    () => new m.nn.Linear(2, 2, wrong({ biases: false })),
    "Linear: unknown option 'biases', expected bias, truncatedStd",
  ],
  [() => new m.optim.AdamW([], wrong({ weight_decay: 0 })), "AdamW: unknown option 'weight_decay'"],
  [() => new m.optim.SGD([], wrong({ lr: 1, dampening: 0 })), "SGD: unknown option 'dampening'"],
  [
    () => new m.DataLoader<number>([1], wrong<object>({ batch_size: 2 })),
    "DataLoader: unknown option 'batch_size', expected batchSize",
  ],
  [
    () => m.backward(x, x, wrong({ retain_graph: true })),
    "backward: unknown option 'retain_graph', expected retainGraph",
  ],
  [
    () => new m.nn.ReLU().loadStateDict(new Map(), wrong({ stict: false })),
    "loadStateDict: unknown option 'stict', expected strict",
  ],
])('%s is refused', (call, message) => {
  expect(call).toThrow(message);
});

test('methods refuse arguments that they would ignore', () => {
  const call = (name: string, ...args: unknown[]) =>
    (x as unknown as Record<string, (...a: unknown[]) => unknown>)[name]!(...args);
  expect(() => call('softmax', 0, 1)).toThrow('softmax: expected at most 1 arguments, got 2');
  expect(() => call('sum', 0, true)).toThrow('sum: expected at most 1 arguments, got 2');
  expect(() => call('reshape', 2, 2)).toThrow('reshape: expected at most 1 arguments, got 2');
  expect(m.softmax(x, 0).toArray()).toEqual([[0.5, 0.5], [0.5, 0.5]]); // prettier-ignore
});
