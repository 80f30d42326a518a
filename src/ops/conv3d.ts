import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import type { Conv3dForward } from '../core/kernels';
import { expectOptions, type Known } from '../core/options';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger, expectShape } from './check';

/** Sizes along time, height and width. */
export type Triple = readonly [number, number, number];

/** Options of `conv3d`; triples are time, height, width. */
export interface Conv3dOptions {
  stride: Triple;
  padding: Triple;
  /** Zeros after the end of each axis. Default `padding`. */
  paddingBehind?: Triple;
  /** Groups of channels that are convolved separately; default 1. More than one requires channels last. */
  groups?: number;
  /** The order of x's dimensions: planar [B, C, T, H, W] (the network's input) or channels last [B, T, H, W, C]. */
  input: 'NCTHW' | 'NTHWC';
}

const KNOWN: Known<Conv3dOptions> = {
  stride: true,
  padding: true,
  paddingBehind: true,
  groups: true,
  input: true,
};

/** Throws unless these are options of a convolution. */
export const expectConv3dOptions = (who: string, options: Conv3dOptions): void => expectOptions(who, options, KNOWN);

/** The checked sizes of a convolution. */
export interface Conv3dGeometry {
  /** The output's shape. */
  shape: number[];
  /** The size arguments of the kernels. */
  at: Omit<Conv3dForward, 'x' | 'weight' | 'bias' | 'y'>;
}

/** Checks the operands of a convolution and computes its sizes. @param op for messages */
export function conv3dGeometry(
  op: string,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: Conv3dOptions,
): Conv3dGeometry {
  checkConv3d(op, x, weight, bias, options);
  return geometry(op, x, weight, options);
}

function geometry(op: string, x: Tensor, weight: Tensor, options: Conv3dOptions): Conv3dGeometry {
  const { stride, padding, paddingBehind = padding, groups = 1, input } = options;
  const planar = input === 'NCTHW';
  const [batch, ...rest] = x.shape as [number, ...number[]];
  const channels = planar ? rest[0] : rest[3];
  const size = (planar ? rest.slice(1) : rest.slice(0, 3)) as unknown as Triple;
  const [outChannels, own, ...kernel] = weight.shape as [number, number, number, number, number];
  const inChannels = own * groups;
  if (channels !== inChannels) {
    const taken = groups === 1 ? `${inChannels}` : `${groups} groups of ${own}`;
    throw new Error(
      `${op}: the weight takes ${taken} channels, x of shape ${show(x.shape)} (${input}) has ${channels}`,
    );
  }
  if (outChannels % groups !== 0)
    throw new Error(`${op}: ${outChannels} outputs are not a multiple of ${groups} groups`);
  const padded = size.map((length, i) => length + padding[i]! + paddingBehind[i]!);
  const out = padded.map((length, i) => Math.floor((length - kernel[i]!) / stride[i]!) + 1);
  if (kernel.includes(0)) throw new Error(`${op}: kernel ${show(kernel)} has a size of 0`);
  if (out.some((length) => length < 1))
    throw new Error(`${op}: kernel ${show(kernel)} does not fit an input of ${show(size)}`);
  return {
    shape: [batch, ...out, outChannels],
    at: { batch, inChannels, outChannels, groups, in: size, kernel, stride, padding, paddingBehind, planar },
  };
}

function expectTriple(op: string, name: string, values: readonly number[], min: number): void {
  if (values.length !== 3)
    throw new Error(`${op}: ${name} must be three numbers (time, height, width), got ${values.length}`);
  values.forEach((value) => expectInteger(op, name, value, min));
}

function checkConv3d(op: string, x: Tensor, weight: Tensor, bias: Tensor | null, options: Conv3dOptions): void {
  expectConv3dOptions(op, options);
  const { stride, padding, paddingBehind = padding, groups = 1, input } = options;
  expectFloats(op, 'conv3d', { x }, { weight, bias });
  if (input !== 'NCTHW' && input !== 'NTHWC')
    throw new Error(`${op}: input must be 'NCTHW' or 'NTHWC', got ${String(input)}`);
  expectDims(op, 'x', x, 5, input === 'NCTHW' ? '[B, C, T, H, W] (NCTHW)' : '[B, T, H, W, C] (NTHWC)');
  expectDims(op, 'weight', weight, 5, '[out, in, kt, kh, kw]');
  expectShape(op, { bias }, [weight.shape[0] as number]);
  expectTriple(op, 'stride', stride, 1);
  expectTriple(op, 'padding', padding, 0);
  expectTriple(op, 'paddingBehind', paddingBehind, 0);
  expectInteger(op, 'groups', groups, 1);
  if (groups > 1 && input === 'NCTHW') throw new Error(`${op}: ${groups} groups need channels last (NTHWC), got NCTHW`);
}

/**
 * A 3-D convolution with zero padding.
 * @param x [B, C, T, H, W] or [B, T, H, W, C], by `input`
 * @param weight [out, in / groups, kt, kh, kw], PyTorch's layout
 * @param bias [out] or null
 * @returns [B, T', H', W', out], always channels last
 */
export function conv3d(x: Tensor, weight: Tensor, bias: Tensor | null, options: Conv3dOptions): Tensor {
  const { shape, at } = conv3dGeometry('conv3d', x, weight, bias, options);
  const y = emptyLike(x, shape);
  kernels.conv3dForward({ x, weight, bias, y, ...at });
  return record({
    op: 'conv3d',
    inputs: [x, weight, bias],
    output: y,
    saved: { x, weight },
    readFor: { x: [weight], weight: [x] },
    backward: (dy, { x, weight }, needs) => conv3dBackward(at, x, weight, dy, needs[0]!),
  });
}

/** Gradients of x (null unless `needsX`), weight and bias. */
export function conv3dBackward(
  at: Conv3dGeometry['at'],
  x: Tensor,
  weight: Tensor,
  dy: Tensor,
  needsX: boolean,
): [Tensor | null, Tensor, Tensor] {
  const dx = needsX ? emptyLike(x) : null;
  const [dweight, dbias] = [emptyLike(weight), emptyLike(weight, [weight.shape[0]!])];
  kernels.conv3dBackward({ x, weight, dy, dx, dweight, dbias, ...at });
  return [dx, dweight, dbias];
}
