import { conv3d, type Conv3dOptions } from '../../ops/conv3d';
import { array64, type Array64, type OpCase } from './case';

type Triple = readonly [number, number, number];
type Array3 = [number, number, number];
type Five = [number, number, number, number, number];

/** Flat index into x, by the order of its dimensions. */
function indexer(x: Array64, planar: boolean): (b: number, c: number, at: Triple) => number {
  const [, p, q, r, s] = x.shape as Five;
  return (b, c, [t, h, w]) =>
    planar ? (((b * p + c) * q + t) * r + h) * s + w : (((b * p + t) * q + h) * r + w) * s + c;
}

/** All taps (kt, kh, kw) with their input position, skipping padding. */
function taps(kernel: Triple, size: Triple, start: Triple): { tap: number; at: Triple }[] {
  const found: { tap: number; at: Triple }[] = [];
  for (let kt = 0; kt < kernel[0]; kt++)
    for (let kh = 0; kh < kernel[1]; kh++)
      for (let kw = 0; kw < kernel[2]; kw++) {
        const at = [start[0] + kt, start[1] + kh, start[2] + kw] as const;
        const inside = at.every((place, i) => place >= 0 && place < size[i]!);
        if (inside) found.push({ tap: (kt * kernel[1] + kh) * kernel[2] + kw, at });
      }
  return found;
}

/** Convolution of x in either memory order. */
export function conv3d64({ x, weight, bias }: Record<string, Array64>, options: Conv3dOptions): Array64 {
  const planar = options.input === 'NCTHW';
  const [outs, ins, ...kernel] = weight!.shape as Five;
  const size = (planar ? x!.shape.slice(2) : x!.shape.slice(1, 4)) as unknown as Triple;
  const { stride, padding, paddingBehind = padding, groups = 1 } = options;
  const out = size.map(
    (n, i) => Math.floor((n + padding[i]! + paddingBehind[i]! - kernel[i]!) / stride[i]!) + 1,
  ) as Array3;
  const place = indexer(x!, planar);
  const perTap = kernel[0] * kernel[1] * kernel[2];
  return array64([x!.shape[0]!, ...out, outs], (i) => {
    const o = i % outs;
    const [w, h] = [Math.floor(i / outs) % out[2], Math.floor(i / (outs * out[2])) % out[1]];
    const frame = Math.floor(i / (outs * out[2] * out[1]));
    const [t, b] = [frame % out[0], Math.floor(frame / out[0])];
    const start = [t, h, w].map((p, d) => p * stride[d]! - padding[d]!) as unknown as Triple;
    const first = Math.floor((o * groups) / outs) * ins;
    let sum = bias?.data[o] ?? 0;
    for (const { tap, at } of taps(kernel, size, start))
      for (let c = 0; c < ins; c++)
        sum += x!.data[place(b, first + c, at)]! * weight!.data[(o * ins + c) * perTap + tap]!;
    return sum;
  });
}

interface Geometry extends Conv3dOptions {
  x: readonly number[];
  weight: readonly number[];
  bias?: boolean;
  /** false: x needs no gradient, like the network's input. */
  grad?: boolean;
}

/** Creates a case. */
export function conv3dCase({ x, weight, bias = true, grad = true, ...options }: Geometry): OpCase {
  const { stride, padding, paddingBehind, groups, input } = options;
  const fanIn = weight.slice(1).reduce((a, b) => a * b, 1);
  const behind = paddingBehind ? ` and ${paddingBehind.join(' ')}` : '';
  const words = [`stride ${stride.join(' ')}`, `padding ${padding.join(' ')}${behind}`, input];
  if (groups) words.push(`${groups} groups`);
  if (!bias) words.push('no bias');
  return {
    name: `[${x.join(', ')}] * [${weight.join(', ')}] ${words.join(', ')}${grad ? '' : ', x without gradient'}`,
    inputs: {
      x: { shape: x, grad },
      weight: { shape: weight, scale: Math.sqrt(3 / fanIn) },
      ...(bias ? { bias: { shape: [weight[0]!], scale: 0.5 } } : {}),
    },
    forward: (t) => conv3d(t.x!, t.weight!, t.bias ?? null, options),
    oracle: (inputs) => conv3d64(inputs, options),
  };
}

const [planar, last] = [{ input: 'NCTHW' }, { input: 'NTHWC' }] as const;
const half = { stride: [1, 2, 2], padding: [0, 1, 1] } as const;
const one = { stride: [1, 1, 1] } as const;
const row4 = { padding: [0, 0, 1], paddingBehind: [0, 0, 2] } as const;
const column4 = { padding: [0, 1, 0], paddingBehind: [0, 2, 0] } as const;
const column8 = { padding: [0, 3, 0], paddingBehind: [0, 4, 0] } as const;
const stem = { stride: [2, 2, 2], padding: [1, 1, 1] } as const;

/**
 * The network's three geometries at odd and even sizes; padding wider than the kernel (outputs equal to the bias); strides that skip
 * pixels; kernels that overlap, cover the whole input or have one tap; both memory orders; several clips; more output positions than one
 * block of the kernel. With groups: row, column and square kernels, asymmetric padding, kernels longer than the frame; strides; kernels over
 * time; depthwise; several outputs per channel.
 */
export const conv3dCases = [
  conv3dCase({ x: [1, 3, 4, 5, 6], weight: [5, 3, 3, 3, 3], ...stem, ...planar }),
  conv3dCase({ x: [2, 3, 3, 4, 4], weight: [2, 3, 3, 3, 3], ...stem, ...planar, grad: false }),
  conv3dCase({ x: [2, 2, 5, 4, 3], weight: [3, 3, 1, 3, 3], ...half, ...last }),
  conv3dCase({ x: [1, 1, 6, 7, 17], weight: [4, 17, 1, 3, 3], ...half, ...last, bias: false }),
  conv3dCase({ x: [2, 3, 3, 4, 2], weight: [3, 2, 3, 3, 3], ...stem, ...last }),
  conv3dCase({ x: [1, 2, 3, 3, 4], weight: [2, 4, 2, 3, 3], stride: [1, 1, 1], padding: [0, 0, 0], ...last }),
  conv3dCase({ x: [1, 2, 3, 4, 5], weight: [17, 5, 1, 1, 1], stride: [1, 1, 1], padding: [0, 0, 0], ...last }),
  conv3dCase({ x: [1, 3, 5, 7, 2], weight: [3, 2, 1, 2, 2], stride: [2, 3, 4], padding: [0, 0, 1], ...last }),
  conv3dCase({
    x: [1, 2, 1, 2, 2],
    weight: [2, 2, 1, 1, 2],
    stride: [1, 1, 1],
    padding: [1, 2, 3],
    ...planar,
    bias: false,
  }),
  conv3dCase({
    x: [1, 1, 2, 2, 2],
    weight: [2, 2, 1, 2, 1],
    stride: [1, 2, 1],
    padding: [1, 3, 2],
    ...last,
    grad: false,
  }),
  conv3dCase({ x: [2, 1, 15, 14, 1], weight: [2, 1, 1, 2, 3], stride: [1, 1, 1], padding: [0, 1, 1], ...last }),
  conv3dCase({ x: [2, 2, 3, 5, 6], weight: [6, 2, 1, 1, 4], ...one, ...row4, groups: 3, ...last }),
  conv3dCase({ x: [1, 2, 5, 3, 6], weight: [6, 2, 1, 4, 1], ...one, ...column4, groups: 3, ...last }),
  conv3dCase({ x: [1, 1, 3, 2, 4], weight: [4, 2, 1, 8, 1], ...one, ...column8, groups: 2, ...last, bias: false }),
  conv3dCase({ x: [1, 1, 2, 3, 36], weight: [4, 18, 1, 2, 3], ...one, padding: [0, 1, 1], groups: 2, ...last }),
  conv3dCase({ x: [2, 2, 3, 4, 4], weight: [6, 2, 3, 3, 3], ...stem, groups: 2, ...last }),
  conv3dCase({
    x: [1, 3, 5, 7, 3],
    weight: [6, 1, 1, 2, 2],
    stride: [2, 3, 4],
    padding: [1, 0, 2],
    groups: 3,
    ...last,
  }),
  conv3dCase({
    x: [1, 1, 5, 6, 4],
    weight: [2, 2, 1, 1, 1],
    ...one,
    padding: [0, 0, 0],
    groups: 2,
    ...last,
    grad: false,
  }),
];
