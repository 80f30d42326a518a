import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectDims, expectF32 } from './check';

/**
 * The matrix product a b. It uses the kernels of `linear`, which compute x wᵀ, dy w and dyᵀ x: the three products of a matmul and its
 * gradients.
 * @param a [M, K]
 * @param b [K, N]
 * @returns [M, N]
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  expectF32('matmul', { a, b });
  expectDims('matmul', 'a', a, 2, '[M, K]');
  expectDims('matmul', 'b', b, 2, '[K, N]');
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1] as number;
  if (b.shape[0] !== k) throw new Error(`matmul: shapes ${show(a.shape)} and ${show(b.shape)} do not fit`);
  const y = emptyLike(a, [m, n]);
  kernels.linearBackward({ rows: m, n: k, k: n, x: y, weight: b, dy: a, dx: y, dweight: null, dbias: null });
  return record({
    op: 'matmul',
    inputs: [a, b],
    output: y,
    saved: { a, b },
    readFor: { a: [b], b: [a] },
    backward: (dy, { a, b }, needs) => {
      const [da, db] = [needs[0] ? emptyLike(a) : null, needs[1] ? emptyLike(b) : null];
      const sizes = { rows: m, n: k, k: n };
      if (da) kernels.linearForward({ gelu: false, x: dy, weight: b, bias: null, y: da, z: null, ...sizes });
      if (db) kernels.linearBackward({ x: dy, weight: b, dy: a, dx: null, dweight: db, dbias: null, ...sizes });
      return [da, db];
    },
  });
}
