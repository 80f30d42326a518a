/** An op of one's own, composed of public ops so that its gradient comes for free; the gradient is checked by central differences. */
import { backward, gelu, linear, mul, noGrad, scope, sum, tensor, type Tensor } from 'morphmlp';

/** GEGLU (Shazeer, 2020): gelu(x wᵀ) · (x vᵀ). @param x [rows, K] @param w [N, K] @param v [N, K] @returns [rows, N] */
export function geglu(x: Tensor, w: Tensor, v: Tensor): Tensor {
  return scope(() => mul(gelu(linear(x, w, null)), linear(x, v, null)));
}

const random = (shape: number[]): Tensor => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.random() * 2 - 1);
  return tensor(values, shape, { requiresGrad: true });
};
const inputs = { x: random([5, 8]), w: random([6, 8]), v: random([6, 8]) };
const weights = random([5, 6]).detach();
const loss = (): Tensor => sum(mul(geglu(inputs.x, inputs.w, inputs.v), weights));

backward(loss());
for (const [name, input] of Object.entries(inputs)) {
  const [values, gradient] = [input.floats(), input.grad!.floats()];
  const lossAt = (i: number, shift: number): number => {
    input.copyFrom(values.map((value, j) => value + (j === i ? shift : 0)));
    return noGrad(() => scope(() => loss().item()));
  };
  const h = 2 ** -6;
  const worst = Math.max(
    ...gradient.map((g, i) => Math.abs((lossAt(i, h) - lossAt(i, -h)) / (2 * h) - g) / (1 + Math.abs(g))),
  );
  input.copyFrom(values);
  console.log(`d${name}  ${worst < 2e-3 ? 'right' : 'WRONG'}  largest difference ${worst.toExponential(1)}`);
  if (!(worst < 2e-3)) process.exitCode = 1;
}
