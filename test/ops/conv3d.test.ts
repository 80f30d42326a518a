import { backward } from '../../src/core/autograd';
import { conv3d, type Conv3dOptions } from '../../src/ops/conv3d';
import { linear } from '../../src/ops/linear';
import { setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { conv3dCases } from '../../src/bench/op_cases/conv3d';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { runCases } from '../support/run_cases';

runCases('conv3d', conv3dCases);

const plain: Conv3dOptions = { stride: [1, 1, 1], padding: [0, 0, 0], input: 'NTHWC' };
const run = (x: number[], weight: number[], options: Partial<Conv3dOptions> = {}, bias: number[] | null = null) =>
  conv3d(zeros(x), zeros(weight), bias && zeros(bias), { ...plain, ...options });
const ok = [
  [1, 2, 3, 3, 4],
  [5, 4, 1, 3, 3],
] as [number[], number[]];

test.each([
  [
    'four dimensions',
    () => run([2, 3, 3, 4], ok[1]),
    'conv3d: x must be [B, T, H, W, C] (NTHWC), got shape [2, 3, 3, 4]',
  ],
  ['a flat weight', () => run(ok[0], [5, 36]), 'conv3d: weight must be [out, in, kt, kh, kw], got shape [5, 36]'],
  [
    'other channels',
    () => run(ok[0], [5, 3, 1, 3, 3]),
    'conv3d: the weight takes 3 channels, x of shape [1, 2, 3, 3, 4] (NTHWC) has 4',
  ],
  [
    'the other order',
    () => run(ok[0], ok[1], { input: 'NCTHW' }),
    'conv3d: the weight takes 4 channels, x of shape [1, 2, 3, 3, 4] (NCTHW) has 2',
  ],
  ['a bias of another width', () => run(...ok, {}, [4]), 'conv3d: bias must have shape [5], got [4]'],
  [
    'a kernel too large',
    () => run(ok[0], [5, 4, 1, 4, 3]),
    'conv3d: kernel [1, 4, 3] does not fit an input of [2, 3, 3]',
  ],
  [
    'other groups',
    () => run(ok[0], ok[1], { groups: 2 }),
    'conv3d: the weight takes 2 groups of 4 channels, x of shape [1, 2, 3, 3, 4] (NTHWC) has 4',
  ],
  [
    'outputs not a multiple of the groups',
    () => run(ok[0], [5, 2, 1, 3, 3], { groups: 2 }),
    'conv3d: 5 outputs are not a multiple of 2 groups',
  ],
  [
    'groups of planes',
    () => run([1, 4, 2, 3, 3], [4, 2, 1, 3, 3], { groups: 2, input: 'NCTHW' }),
    'conv3d: 2 groups need channels last (NTHWC), got NCTHW',
  ],
  ['an empty kernel', () => run(ok[0], [5, 4, 1, 0, 3]), 'conv3d: kernel [1, 0, 3] has a size of 0'],
  [
    'a stride of 0',
    () => run(...ok, { stride: [1, 0, 1] }),
    'conv3d: stride must be a whole number of at least 1, got 0',
  ],
  [
    'half a padding',
    () => run(...ok, { padding: [0, 0.5, 0] }),
    'conv3d: padding must be a whole number of at least 0, got 0.5',
  ],
  [
    'two strides',
    () => run(...ok, { stride: [1, 1] as never }),
    'conv3d: stride must be three numbers (time, height, width), got 2',
  ],
  [
    'an unknown order',
    () => run(...ok, { input: 'NCHW' as never }),
    "conv3d: input must be 'NCTHW' or 'NTHWC', got NCHW",
  ],
])('%s: refused with what was expected and what came', (_, call, message) => {
  scope(() => expect(call).toThrow(message));
});

test('an empty batch gives an empty result', () => {
  scope(() => expect(run([0, 2, 3, 3, 4], ok[1]).shape).toEqual([0, 2, 1, 1, 5]));
});

interface Geometry {
  x: number[];
  weight: number[];
  options: Conv3dOptions;
}

/** The result and all gradients of one convolution, as one list. */
function results({ x: shape, weight: kernel, options }: Geometry): Float32Array[] {
  return scope(() => {
    const random = (seed: number, dims: number[], scale = 1) =>
      tensor(
        uniform(
          seed,
          dims.reduce((a, b) => a * b, 1),
          scale,
        ),
        dims,
        { requiresGrad: true },
      );
    const inputs = [random(1, shape), random(2, kernel, 0.1), random(3, [kernel[0]!])] as const;
    const y = conv3d(...inputs, options);
    backward(y, tensor(uniform(4, y.size), y.shape));
    return [
      y.floats(),
      ...inputs.map((t) => {
        const values = t.grad!.floats();
        t.grad!.dispose();
        return values;
      }),
    ];
  });
}

const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' } as const;
const large: [string, Geometry][] = [
  [
    'a stem',
    {
      x: [2, 3, 6, 30, 31],
      weight: [20, 3, 3, 3, 3],
      options: { stride: [2, 2, 2], padding: [1, 1, 1], input: 'NCTHW' },
    },
  ],
  ['a downsampling', { x: [2, 2, 27, 24, 40], weight: [50, 40, 1, 3, 3], options: half }],
  ['a late downsampling', { x: [1, 3, 6, 6, 120], weight: [260, 120, 1, 3, 3], options: half }],
  [
    'groups in rows',
    {
      x: [2, 2, 27, 24, 24],
      weight: [24, 6, 1, 1, 14],
      options: { ...half, stride: [1, 1, 1], padding: [0, 0, 6], paddingBehind: [0, 0, 7], groups: 4 },
    },
  ],
  ['groups over time', { x: [2, 5, 8, 7, 24], weight: [36, 8, 3, 3, 3], options: { ...half, groups: 3 } }],
  ['overlap in time', { x: [2, 5, 14, 13, 20], weight: [30, 20, 3, 3, 3], options: { ...half, padding: [1, 1, 1] } }],
];

test.each(large)('%s: the bits do not depend on the number of threads', (_, geometry) => {
  const before = threads();
  try {
    setThreads(1);
    const expected = results(geometry);
    for (const count of [2, 3, 5]) {
      setThreads(count);
      expect(results(geometry)).toEqual(expected);
    }
  } finally {
    setThreads(before);
  }
});

/** One convolution in both input orders; x's gradient is converted to channels last. */
test('both orders of the input agree at a size of many blocks', () => {
  const [c, pixels] = [3, 6 * 30 * 31];
  const [b, , t, h, w] = large[0]![1].x as [number, number, number, number, number];
  const toLast = (values: Float32Array) =>
    Float32Array.from(
      values,
      (_, i) => values[(Math.floor(i / (pixels * c)) * c + (i % c)) * pixels + (Math.floor(i / c) % pixels)]!,
    );
  scope(() => {
    const { options, weight: kernel, x } = large[0]![1];
    const values = uniform(1, b * c * pixels);
    const run = (data: Float32Array, shape: number[], input: 'NCTHW' | 'NTHWC') => {
      const x = tensor(data, shape, { requiresGrad: true });
      const weight = tensor(uniform(2, 20 * 81, 0.1), kernel, { requiresGrad: true });
      const y = conv3d(x, weight, null, { ...options, input });
      backward(y, tensor(uniform(4, y.size), y.shape));
      return { y, dx: x.grad!, dweight: weight.grad! };
    };
    const [planar, last] = [run(values, x, 'NCTHW'), run(toLast(values), [b, t, h, w, c], 'NTHWC')];
    expect(relativeError(planar.y.floats(), last.y.floats())).toBeLessThan(5e-7);
    expect(relativeError(planar.dweight.floats(), last.dweight.floats())).toBeLessThan(2e-6);
    expect(relativeError(toLast(planar.dx.floats()), last.dx.floats())).toBeLessThan(5e-7);
    for (const { dx, dweight } of [planar, last]) [dx, dweight].forEach((g) => g.dispose());
  });
});

test('the cached packed form of a weight is not reused for another layout', () => {
  scope(() => {
    const weight = tensor(uniform(1, 24), [2, 3, 1, 2, 2]);
    const x = { last: tensor(uniform(2, 12), [1, 1, 2, 2, 3]), planar: tensor(uniform(2, 12), [1, 3, 1, 2, 2]) };
    const rows = tensor(uniform(2, 12), [3, 4]);
    const uses = [
      () => conv3d(x.last, weight, null, plain),
      () => conv3d(x.planar, weight, null, { ...plain, input: 'NCTHW' }),
      () => conv3d(x.last.view([1, 1, 1, 1, 12]), weight.view([2, 12, 1, 1, 1]), null, plain),
      () => linear(rows, weight.view([6, 4]), null),
    ].map((use) => () => use().floats());
    const fresh = uses.map((use) => (weight.copyFrom(weight.floats()), use()));
    for (let round = 0; round < 3; round++)
      uses.forEach((use, i) => expect([use(), use()]).toEqual([fresh[i], fresh[i]]));
  });
});

/** Columns [first, last) of rows of `width` numbers. */
const columns = (values: Float32Array, width: number, [first, last]: readonly [number, number]) =>
  values.filter((_, i) => i % width >= first && i % width < last);

test.each([
  ['rows', { x: [1, 2, 61, 40, 130], weight: [39, 10, 1, 1, 5], options: { ...plain, padding: [0, 0, 2] as const } }],
  ['columns', { x: [1, 1, 40, 61, 130], weight: [39, 10, 1, 5, 1], options: { ...half, padding: [0, 2, 0] as const } }],
  ['squares', { x: [1, 3, 50, 41, 130], weight: [26, 10, 2, 3, 4], options: { ...half, padding: [1, 1, 2] as const } }],
])('groups of %s are as many convolutions, at a size of many parts', (_, { x: shape, weight: kernel, options }) => {
  const [groups, [outs, ins]] = [13, [kernel[0]! / 13, kernel[1]!]] as const;
  const size = (dims: number[]) => dims.reduce((a, b) => a * b, 1);
  const [x, weight, bias] = [uniform(1, size(shape)), uniform(2, size(kernel), 0.2), uniform(3, kernel[0]!)];
  const run = (parts: readonly Float32Array[], dims: number[][], gy: (size: number) => Float32Array, more: object) =>
    scope(() => {
      const inputs = parts.map((part, i) => tensor(part, dims[i]!, { requiresGrad: true }));
      const y = conv3d(inputs[0]!, inputs[1]!, inputs[2]!, { ...options, ...more });
      backward(y, tensor(gy(y.size), y.shape));
      const found = [y.floats(), ...inputs.map((t) => t.grad!.floats())];
      inputs.forEach((t) => t.grad!.dispose());
      return found as [Float32Array, Float32Array, Float32Array, Float32Array];
    });
  let upstream: Float32Array = new Float32Array();
  const draw = (n: number) => (upstream = uniform(4, n));
  const [y, dx, dweight, dbias] = run([x, weight, bias], [shape, kernel, [kernel[0]!]], draw, { groups });
  for (let g = 0; g < groups; g++) {
    const [input, output] = [[g * ins, (g + 1) * ins] as const, [g * outs, (g + 1) * outs] as const];
    const filters = (values: Float32Array) =>
      values.slice((g * values.length) / groups, ((g + 1) * values.length) / groups);
    const own = [columns(x, shape[4]!, input), filters(weight), filters(bias)];
    const dims = [[...shape.slice(0, 4), ins], [outs, ...kernel.slice(1)], [outs]];
    const alone = run(own, dims, () => columns(upstream, kernel[0]!, output), {});
    const ofGroups = [columns(y, kernel[0]!, output), columns(dx, shape[4]!, input), filters(dweight), filters(dbias)];
    ofGroups.forEach((values, i) => expect(relativeError(values, alone[i]!)).toBeLessThan(2e-6));
  }
});
