import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { empty, type Tensor } from '../core/tensor';

function converted(x: Tensor, dtype: 'f32' | 'bf16'): Tensor {
  const y = empty(x.shape, { device: x.device, dtype });
  const kernel = dtype === 'bf16' ? kernels.castToBf16 : kernels.castToF32;
  kernel({ n: x.size, x, y });
  return y;
}

/**
 * x in another floating-point type: to bf16 rounded to the nearest, ties to even, to f32 exact; x itself where it has the type. The
 * gradient goes back in x's own type.
 * @throws for a tensor of integers
 */
export function cast(x: Tensor, dtype: 'f32' | 'bf16'): Tensor {
  const from = x.dtype;
  if (from === dtype) return x;
  if (from !== 'f32' && from !== 'bf16') throw new Error(`cast: x must be f32 or bf16, got ${from}`);
  return record({ op: 'cast', inputs: [x], output: converted(x, dtype), backward: (dy) => [converted(dy, from)] });
}

/** x in the type of `other`. */
export function castLike(x: Tensor, other: Tensor): Tensor {
  return cast(x, other.dtype === 'bf16' ? 'bf16' : 'f32');
}
