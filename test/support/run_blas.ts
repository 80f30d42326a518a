// Verifies the kernels of a BLAS library against float64 on edge shapes and prints the number of cases. The library is that of
// MORPHMLP_BLAS, or cuBLASLt with the argument `cuda`.
import { EDGE_SHAPES } from '../../src/bench/kernels/edge_shapes';
import { blasVariants } from '../../src/bench/kernels/variant';
import { verify } from '../../src/bench/kernels/verify';
import type { Device } from '../../src/core/native';
import { setDefaultDevice } from '../../src/core/tensor';

const device = (process.argv[2] ?? 'cpu') as Device;
setDefaultDevice(device);
const library = device === 'cpu' ? 'MORPHMLP_BLAS' : 'cuBLASLt';
for (const op of ['linear', 'temporal_fc', 'morph_fc'] as const) {
  const variant = blasVariants(op).find(({ name }) => name === library);
  if (!variant) throw new Error(`the library has no kernel for ${op}`);
  for (const c of EDGE_SHAPES[op]) verify(c, 1, variant);
  console.log(op, EDGE_SHAPES[op].length, ...(device === 'cuda' ? [variant.flags] : []));
}
