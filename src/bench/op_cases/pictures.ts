/** Convolutions, pooling and GroupNorm in PyTorch's layout [B, C, H, W]. */
import { avgPool2d, conv2d, groupNorm, maxPool2d, type Conv2dOptions, type PoolOptions } from '../../ops';
import { pairOf, type Pair } from '../../ops/conv2d';
import { array64, type Array64, type OpCase } from './case';

type Four = readonly [number, number, number, number];

/** The element of a picture, and `outside` in its padding. */
function pixel({ shape, data }: Array64, [b, c, y, x]: Four, outside: number): number {
  const [, channels, height, width] = shape as Four;
  if (y < 0 || x < 0 || y >= height || x >= width) return outside;
  return data[((b * channels + c) * height + y) * width + x]!;
}

/** The index of an output's flat position. */
const place = (i: number, [, c, h, w]: Four): Four => [
  Math.floor(i / (c * h * w)),
  Math.floor(i / (h * w)) % c,
  Math.floor(i / w) % h,
  i % w,
];

const sizes = (shape: Four, kernel: Pair, stride: Pair, padding: Pair): readonly [number, number] => {
  const [k, s, p] = [pairOf(kernel), pairOf(stride), pairOf(padding)];
  return [0, 1].map((i) => Math.floor((shape[2 + i]! + 2 * p[i]! - k[i]!) / s[i]!) + 1) as [number, number];
};

function convCase(x: Four, weight: Four, options: Conv2dOptions): OpCase {
  const { stride = 1, padding = 0, groups = 1 } = options;
  const [kh, kw] = [weight[2], weight[3]];
  const out: Four = [x[0], weight[0], ...sizes(x, [kh, kw], stride, padding)];
  return {
    name: `conv2d of [${x.join(', ')}] by [${weight.join(', ')}], ${JSON.stringify(options)}`,
    inputs: { x: { shape: x }, weight: { shape: weight }, bias: { shape: [weight[0]] } },
    forward: (t) => conv2d(t.x!, t.weight!, t.bias!, options),
    oracle: (a) =>
      array64(out, (i) => {
        const [b, o, y, column] = place(i, out);
        const first = Math.floor(o / (weight[0] / groups)) * weight[1];
        let sum = a.bias!.data[o]!;
        for (let j = 0; j < weight[1] * kh * kw; j++) {
          const [, c, dy, dx] = place(j, [1, weight[1], kh, kw]);
          const [top, left] = [
            y * pairOf(stride)[0] - pairOf(padding)[0],
            column * pairOf(stride)[1] - pairOf(padding)[1],
          ];
          sum += a.weight!.data[o * weight[1] * kh * kw + j]! * pixel(a.x!, [b, first + c, top + dy, left + dx], 0);
        }
        return sum;
      }),
  };
}

function poolCase(kind: 'max' | 'mean', x: Four, window: Pair, options: PoolOptions): OpCase {
  const { stride = window, padding = 0 } = options;
  const [kh, kw] = pairOf(window);
  const out: Four = [x[0], x[1], ...sizes(x, window, stride, padding)];
  return {
    name: `${kind} of windows ${JSON.stringify(window)} of [${x.join(', ')}], ${JSON.stringify(options)}`,
    inputs: {
      x: { shape: x, values: Array.from({ length: x.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 101) / 50) },
    },
    forward: (t) => (kind === 'max' ? maxPool2d : avgPool2d)(t.x!, window, options),
    oracle: (a) =>
      array64(out, (i) => {
        const [b, c, y, column] = place(i, out);
        const [top, left] = [
          y * pairOf(stride)[0] - pairOf(padding)[0],
          column * pairOf(stride)[1] - pairOf(padding)[1],
        ];
        const values = Array.from({ length: kh * kw }, (_, j) =>
          pixel(a.x!, [b, c, top + Math.floor(j / kw), left + (j % kw)], kind === 'max' ? -Infinity : 0),
        );
        return kind === 'max' ? Math.max(...values) : values.reduce((p, q) => p + q) / values.length;
      }),
  };
}

function groupCase(x: readonly number[], groups: number): OpCase {
  const [b, c] = x as [number, number];
  const each = x.slice(2).reduce((p, q) => p * q, 1);
  const n = (c / groups) * each;
  return {
    name: `groupNorm of [${x.join(', ')}] in ${groups} groups`,
    inputs: { x: { shape: x, offset: 0.5 }, gamma: { shape: [c], offset: 1 }, beta: { shape: [c] } },
    forward: (t) => groupNorm(t.x!, groups, t.gamma!, t.beta!),
    oracle: (a) => {
      const moments = Array.from({ length: b * groups }, (_, g) => {
        const part = a.x!.data.slice(g * n, (g + 1) * n);
        const mean = part.reduce((p, q) => p + q) / n;
        return { mean, scale: 1 / Math.sqrt(part.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n + 1e-5) };
      });
      return array64(x, (i) => {
        const [channel, group] = [Math.floor(i / each) % c, moments[Math.floor(i / n)]!];
        return (a.x!.data[i]! - group.mean) * group.scale * a.gamma!.data[channel]! + a.beta!.data[channel]!;
      });
    },
  };
}

/** Strides, paddings, groups and unequal sides. */
export const pictureCases: OpCase[] = [
  convCase([2, 3, 5, 6], [4, 3, 3, 3], { padding: 1 }),
  convCase([1, 2, 6, 5], [3, 2, 3, 2], { stride: [2, 1], padding: [1, 0] }),
  convCase([2, 4, 4, 4], [6, 2, 3, 3], { groups: 2, padding: 1 }),
  convCase([2, 3, 2, 2], [5, 3, 1, 1], {}),
  poolCase('max', [2, 2, 4, 6], 2, {}),
  poolCase('max', [1, 2, 5, 5], 3, { stride: 2, padding: 1 }),
  poolCase('mean', [1, 3, 4, 5], [2, 3], {}),
  poolCase('mean', [1, 2, 5, 4], 3, { stride: 1, padding: 1 }),
  groupCase([2, 4, 3, 2], 2),
  groupCase([3, 6], 3),
];
