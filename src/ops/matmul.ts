import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { elements, emptyLike, show, type Tensor } from '../core/tensor';
import { broadcastShape } from './arithmetic';
import { inF32 } from './cast';
import { expectFloats } from './check';
import { expand } from './expand';
import { reshape } from './reshape';

/** The product of two matrices. It uses the kernels of `linear`, which compute x wᵀ, dy w and dyᵀ x. */
function ofMatrices(a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1] as number;
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

interface Transposed {
  transposeA?: boolean;
  transposeB?: boolean;
}

/** y[i] = op(a[i]) op(b[i]) for stacks of matrices of one length. */
function products(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: Transposed = {}): Tensor {
  const [batch, rows, columns] = a.shape as [number, number, number];
  const [m, k] = transposeA ? [columns, rows] : [rows, columns];
  const n = b.shape[transposeB ? 1 : 2] as number;
  const y = emptyLike(a, [batch, m, n]);
  kernels.batchedMatmulForward({ batch, m, n, k, transposeA, transposeB, a, b, y });
  return y;
}

function ofStacks(a: Tensor, b: Tensor): Tensor {
  return record({
    op: 'matmul',
    inputs: [a, b],
    output: products(a, b),
    saved: { a, b },
    readFor: { a: [b], b: [a] },
    backward: (dy, { a, b }, needs) => [
      needs[0] ? products(dy, b, { transposeB: true }) : null,
      needs[1] ? products(a, dy, { transposeA: true }) : null,
    ],
  });
}

function checkMatmul(a: Tensor, b: Tensor): void {
  expectFloats('matmul', 'arithmetic', { a, b });
  for (const [name, t] of Object.entries({ a, b }))
    if (t.ndim < 2)
      throw new Error(`matmul: ${name} must be [..., ${name === 'a' ? 'M, K' : 'K, N'}], got shape ${show(t.shape)}`);
  if (a.shape[a.ndim - 1] !== b.shape[b.ndim - 2])
    throw new Error(`matmul: shapes ${show(a.shape)} and ${show(b.shape)} do not fit`);
}

/** Leading dimensions repeated to `batch` and joined. */
function stacked(t: Tensor, batch: readonly number[]): Tensor {
  const matrix = t.shape.slice(-2);
  const whole = [...batch, ...matrix];
  return reshape(show(t.shape) === show(whole) ? t : expand(t, whole), [elements(batch), ...matrix]);
}

function product(a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 2 && b.ndim === 2) return ofMatrices(a, b);
  const n = b.shape[b.ndim - 1] as number;
  const [rows, k] = [a.shape.slice(0, -1), a.shape[a.ndim - 1] as number];
  if (b.ndim === 2) return reshape(ofMatrices(reshape(a, [elements(rows), k]), b), [...rows, n]);
  const batch = broadcastShape('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return reshape(ofStacks(stacked(a, batch), stacked(b, batch)), [...batch, a.shape[a.ndim - 2] as number, n]);
}

/**
 * The matrix products a b. Leading dimensions broadcast as NumPy's: a stack of matrices by one matrix is a single product.
 * @param a [..., M, K]
 * @param b [..., K, N]
 * @returns [..., M, N]
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  checkMatmul(a, b);
  return inF32(a, (x) => (x === a ? scope(() => product(a, b)) : inF32(b, (z) => product(x, z))));
}
