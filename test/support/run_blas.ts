// Holds the kernels of the BLAS library that MORPHMLP_BLAS names to float64, on ragged shapes; prints how many cases there were.
import { RAGGED } from '../../src/bench/ragged';
import { blasVariants } from '../../src/bench/variant';
import { verify } from '../../src/bench/verify';

for (const op of ['linear', 'temporal_fc', 'morph_fc'] as const) {
  const variant = blasVariants(op).find(({ name }) => name === 'MORPHMLP_BLAS');
  if (!variant) throw new Error(`the library has no kernel for ${op}`);
  for (const c of RAGGED[op]) verify(c, 1, variant);
  console.log(op, RAGGED[op].length);
}
