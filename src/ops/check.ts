import type { Bf16Op } from '../core/kernels';
import { show, type Shape, type Tensor } from '../core/tensor';

/** Throws unless all tensors are f32 and on one device. */
export function expectF32(op: string, tensors: Record<string, Tensor | null>): void {
  let device: string | null = null;
  for (const [name, t] of Object.entries(tensors)) {
    if (t === null) continue;
    if (t.dtype !== 'f32') throw new Error(`${op}: ${name} must be f32, got ${t.dtype}`);
    device ??= t.device;
    if (t.device !== device) throw new Error(`${op}: ${name} is on ${t.device}, the other inputs are on ${device}`);
  }
}

/**
 * Throws unless the activations are all f32 or, for an op that has bf16, all bf16; the parameters f32; and all on one device.
 */
export function expectFloats(
  op: string,
  _kernels: Bf16Op,
  activations: Record<string, Tensor | null>,
  parameters: Record<string, Tensor | null> = {},
): void {
  const given = Object.entries(activations).filter((entry): entry is [string, Tensor] => entry[1] !== null);
  const half = given.find(([, t]) => t.dtype === 'bf16');
  if (!half) return expectF32(op, { ...activations, ...parameters });
  const [name, { device }] = half;
  for (const [other, t] of given)
    if (t.dtype !== 'bf16') throw new Error(`${op}: ${name} is bf16, ${other} ${t.dtype}: cast one of them`);
  expectF32(op, parameters);
  for (const [other, t] of [...given, ...Object.entries(parameters)])
    if (t && t.device !== device)
      throw new Error(`${op}: ${other} is on ${t.device}, the other inputs are on ${device}`);
}

/** Throws unless each tensor has exactly this shape. */
export function expectShape(op: string, tensors: Record<string, Tensor | null>, shape: Shape): void {
  for (const [name, t] of Object.entries(tensors)) {
    if (t === null || (t.ndim === shape.length && t.shape.every((size, i) => size === shape[i]))) continue;
    throw new Error(`${op}: ${name} must have shape ${show(shape)}, got ${show(t.shape)}`);
  }
}

/** Throws unless the tensor has this number of dimensions. */
export function expectDims(op: string, name: string, t: Tensor, ndim: number, meaning: string): void {
  if (t.ndim !== ndim) throw new Error(`${op}: ${name} must be ${meaning}, got shape ${show(t.shape)}`);
}

/** Throws unless `value` is a whole number within the bounds. */
export function expectInteger(
  op: string,
  name: string,
  value: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new Error(`${op}: ${name} must be a whole number ${range}, got ${value}`);
}
