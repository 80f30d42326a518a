import { elements, show, type Shape } from '../core/tensor';

/** A dimension as a whole number of 0 or more. @throws unless it is one of `shape`; a negative one counts from the end */
export function axisOf(op: string, shape: Shape, axis: number): number {
  const { length } = shape;
  if (Number.isInteger(axis) && axis >= -length && axis < length) return axis < 0 ? axis + length : axis;
  throw new Error(`${op}: axis ${axis} is not a dimension of shape ${show(shape)}`);
}

/** Sizes of a shape before, along and after one dimension. */
export function around(shape: Shape, axis: number): { outer: number; n: number; inner: number } {
  return {
    outer: elements(shape.slice(0, axis)),
    n: shape[axis] as number,
    inner: elements(shape.slice(axis + 1)),
  };
}

/** Row-major strides of a shape. */
export const stridesOf = (shape: Shape): number[] => shape.map((_, i) => elements(shape.slice(i + 1)));

/** A shape with one size replaced. */
export const withSize = (shape: Shape, axis: number, size: number): number[] =>
  shape.map((n, i) => (i === axis ? size : n));
