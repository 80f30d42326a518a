// Holds the kernels of a BLAS library to float64, on ragged shapes; prints how many cases there were. The library: that of MORPHMLP_BLAS, or
// on the device `cuda`, given as an argument, cuBLASLt.
import { RAGGED } from '../../src/bench/kernels/edge_shapes';
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
  for (const c of RAGGED[op]) verify(c, 1, variant);
  console.log(op, RAGGED[op].length, ...(device === 'cuda' ? [variant.flags] : []));
}
