import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { empty, tensor, type Tensor } from '../core/tensor';

function converted(x: Tensor, dtype: 'f32' | 'bf16'): Tensor {
  const y = empty(x.shape, { device: x.device, dtype });
  const kernel = dtype === 'bf16' ? kernels.castToBf16 : kernels.castToF32;
  kernel({ n: x.size, x, y });
  return y;
}

/**
 * Converts x to another floating-point type: to bf16 by rounding to nearest, ties to even; to f32 exactly. Returns x itself if it
 * has the type. The gradient has x's type.
 * @throws for an integer tensor
 */
export function cast(x: Tensor, dtype: 'f32' | 'bf16'): Tensor {
  const from = x.dtype;
  if (from === dtype) return x;
  if (from !== 'f32' && from !== 'bf16') throw new Error(`cast: x must be f32 or bf16, got ${from}`);
  return record({ op: 'cast', inputs: [x], output: converted(x, dtype), backward: (dy) => [converted(dy, from)] });
}

/** Casts x to the type of `other`. */
export function castLike(x: Tensor, other: Tensor): Tensor {
  return cast(x, other.dtype === 'bf16' ? 'bf16' : 'f32');
}

/** Computes in f32 for an x in bf16, whose result is rounded once; for kernels without bf16. */
export function inF32(x: Tensor, body: (x: Tensor) => Tensor): Tensor {
  return x.dtype === 'bf16' ? scope(() => castLike(body(cast(x, 'f32')), x)) : body(x);
}

/** x in f32: itself, a cast of bf16, or a copy of i32 and u8, through the host and without gradient; exact up to 2^24. */
export function float(x: Tensor): Tensor {
  if (x.dtype === 'f32' || x.dtype === 'bf16') return cast(x, 'f32');
  return tensor(Float32Array.from(x.data()), x.shape, { device: x.device });
}
