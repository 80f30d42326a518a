import { record } from '../core/autograd';
import { scope } from '../core/scope';
import { emptyLike, full, show, zeros, type Shape, type Tensor } from '../core/tensor';
import { copyStrided, type Layout } from './arithmetic';
import { axisOf, stridesOf, withSize } from './axes';
import { expectFloats, expectInteger } from './check';
import { reshape } from './reshape';

const dense = (shape: Shape): Layout => ({ strides: stridesOf(shape), offset: 0 });

/** A new tensor of the elements of x at a layout. */
function read(op: string, x: Tensor, shape: Shape, layout: Layout): Tensor {
  const y = emptyLike(x, shape);
  copyStrided(op, shape, x, layout, y, dense(shape));
  return y;
}

/** Writes x to the elements of y at a layout. */
const write = (op: string, x: Tensor, y: Tensor, layout: Layout) =>
  copyStrided(op, x.shape, x, dense(x.shape), y, layout);

/** The layout of the part of a tensor that begins at `start` along a dimension. */
function partOf(shape: Shape, axis: number, start: number, step = 1): Layout {
  const strides = stridesOf(shape);
  const stride = strides[axis] as number;
  return { strides: strides.map((s, d) => (d === axis ? s * step : s)), offset: start * stride };
}

/**
 * Copies the elements from `start` up to, not including, `end` along one dimension, every `step`-th of them.
 * @param axis the dimension; a negative one counts from the end
 * @param end default: the size of the dimension
 * @throws unless 0 ≤ start ≤ end ≤ the size of the dimension and step ≥ 1
 */
export function slice(x: Tensor, axis: number, start: number, end?: number, step = 1): Tensor {
  expectFloats('slice', 'arithmetic', { x });
  const d = axisOf('slice', x.shape, axis);
  const size = x.shape[d] as number;
  const last = end ?? size;
  expectInteger('slice', 'start', start, 0, size);
  expectInteger('slice', 'end', last, start, size);
  expectInteger('slice', 'step', step, 1);
  const [from, layout] = [x.shape, partOf(x.shape, d, start, step)];
  return record({
    op: 'slice',
    inputs: [x],
    output: read('slice', x, withSize(x.shape, d, Math.ceil((last - start) / step)), layout),
    backward: (dy) => {
      const dx = zeros(from, { device: dy.device, dtype: dy.dtype });
      write('slice', dy, dx, layout);
      return [dx];
    },
  });
}

/** Joins tensors along a dimension. @param tensors at least one, of equal shape except along `axis` */
export function cat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  if (!first) throw new Error('cat: expected at least one tensor, got none');
  expectFloats('cat', 'arithmetic', Object.fromEntries(tensors.map((t, i) => [`tensor ${i}`, t])));
  const d = axisOf('cat', first.shape, axis);
  tensors.forEach((t, i) => {
    if (t.ndim === first.ndim && t.shape.every((n, j) => j === d || n === first.shape[j])) return;
    throw new Error(
      `cat: tensor ${i} of shape ${show(t.shape)} does not fit ${show(first.shape)} except along axis ${d}`,
    );
  });
  const sizes = tensors.map((t) => t.shape[d] as number);
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const shape = withSize(first.shape, d, sizes.reduce((a, b) => a + b)); // prettier-ignore
  const [y, shapes] = [emptyLike(first, shape), tensors.map((t) => t.shape)];
  tensors.forEach((t, i) => write('cat', t, y, partOf(shape, d, starts[i]!)));
  return record({
    op: 'cat',
    inputs: tensors,
    output: y,
    backward: (dy, _, needs) =>
      shapes.map((own, i) => (needs[i] ? read('cat', dy, own, partOf(shape, d, starts[i]!)) : null)),
  });
}

/** Joins tensors of one shape along a new dimension, before `axis`; -1 makes it the last. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return scope(() =>
    cat(
      tensors.map((t) => unsqueeze(t, axis)),
      axis,
    ),
  );
}

/**
 * Cuts x into parts along a dimension.
 * @param size of each part (the last may be smaller), or the sizes of all parts
 */
export function split(x: Tensor, size: number | readonly number[], axis = 0): Tensor[] {
  const d = axisOf('split', x.shape, axis);
  const n = x.shape[d] as number;
  if (typeof size === 'number') expectInteger('split', 'size', size, 1);
  const starts = (each: number) => Array.from({ length: Math.max(1, Math.ceil(n / each)) }, (_, i) => i * each);
  const sizes = typeof size === 'number' ? starts(size).map((start) => Math.min(size, n - start)) : size;
  let end = 0;
  if (sizes.reduce((a, b) => a + b, 0) !== n)
    throw new Error(`split: sizes ${show(sizes)} do not add up to ${n}, the size of axis ${d} of ${show(x.shape)}`);
  return sizes.map((part) => slice(x, d, end, (end += part)));
}

/**
 * Surrounds x with a value, as PyTorch's F.pad: pairs of numbers before and after, the first pair for the last dimension.
 * @param padding of 0 or more; at most two numbers a dimension
 */
export function pad(x: Tensor, padding: readonly number[], value = 0): Tensor {
  expectFloats('pad', 'arithmetic', { x });
  if (padding.length % 2 !== 0 || padding.length > 2 * x.ndim)
    throw new Error(`pad: expected pairs for at most ${x.ndim} dimensions, got ${padding.length} numbers`);
  padding.forEach((n) => expectInteger('pad', 'padding', n, 0));
  const sides = x.shape.map((_, d) => padding.slice(2 * (x.ndim - 1 - d), 2 * (x.ndim - d)));
  const shape = x.shape.map((n, d) => n + (sides[d]![0] ?? 0) + (sides[d]![1] ?? 0));
  const strides = stridesOf(shape);
  const layout = { strides, offset: strides.reduce((sum, s, d) => sum + s * (sides[d]![0] ?? 0), 0) };
  return scope(() => {
    const y = emptyLike(x, shape).copyFrom(full(shape, value, { dtype: x.dtype, device: 'cpu' }).data());
    write('pad', x, y, layout);
    const from = x.shape;
    return record({ op: 'pad', inputs: [x], output: y, backward: (dy) => [read('pad', dy, from, layout)] });
  });
}

/** A view of x with a dimension of size 1 before `axis`; -1 adds it at the end. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const d = axisOf('unsqueeze', [...x.shape, 1], axis);
  return reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)]);
}

/** A view of x without its dimensions of size 1, or without the given one. @throws if that is of another size */
export function squeeze(x: Tensor, axis?: number): Tensor {
  const d = axis === undefined ? null : axisOf('squeeze', x.shape, axis);
  if (d !== null && x.shape[d] !== 1) throw new Error(`squeeze: axis ${axis} of ${show(x.shape)} is not of size 1`);
  return reshape(
    x,
    x.shape.filter((n, i) => (d === null ? n !== 1 : i !== d)),
  );
}

/** A view of x with the dimensions from `start` to `end`, inclusive, joined to one. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.ndim === 0) return reshape(x, [1]);
  const [from, to] = [axisOf('flatten', x.shape, start), axisOf('flatten', x.shape, end)];
  if (to < from) throw new Error(`flatten: axis ${end} is before axis ${start} in shape ${show(x.shape)}`);
  const joined = x.shape.slice(from, to + 1).reduce((a, b) => a * b, 1);
  return reshape(x, [...x.shape.slice(0, from), joined, ...x.shape.slice(to + 1)]);
}
