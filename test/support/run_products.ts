// Holds ops whose products cuBLASLt computes (MORPHMLP_GEMM=cublaslt) to float64, and element by element to our own products; prints
// how many there were, and what a results file and a report say of it. With the argument `bench` instead: ranks `linear` in bf16 by cuBLASLt
// beside ours, and says which rows are missing.
import { benchCase } from '../../src/bench/kernels/measure';
import { machine } from '../../src/bench/machine';
import { casesInBf16 } from '../../src/bench/kernels/ops';
import { productVariants, OURS, runVariant } from '../../src/bench/kernels/variant';
import { verify, verifyAgainst } from '../../src/bench/kernels/verify';
import { BF16_TERMS, inBf16 } from '../../src/bench/op_cases/bf16';
import type { OpCase } from '../../src/bench/op_cases/case';
import { linearCase, linearCases } from '../../src/bench/op_cases/linear';
import { normMlpCase } from '../../src/bench/op_cases/norm_mlp';
import { normTemporalCase } from '../../src/bench/op_cases/norm_temporal';
import { uniform } from '../../src/bench/op_cases/random';
import { rounded } from '../../src/bench/op_cases/tensors';
import { deviceText } from '../../src/cli/commands/device_text';
import { printMissing } from '../../src/cli/commands/kernel_table';
import { native } from '../../src/core/native';
import { setDefaultDevice } from '../../src/core/tensor';

function hold(c: OpCase): void {
  const { arrays, results } = verify(c, 1);
  const gy = rounded(uniform(5, results.y.length));
  const byLibrary = runVariant(c, OURS, arrays, gy);
  native.cudaUseProducts('own');
  verifyAgainst(c, 'cuBLASLt', byLibrary, runVariant(c, OURS, arrays, gy), 1);
  native.cudaUseProducts('cublaslt');
}

function holdAll(): void {
  const others = [normMlpCase([2, 5, 40], 24, [1.25, 0.5]), normTemporalCase([1, 2, 3, 1, 32], 2)];
  const octets = [linearCase([5], 24, 40, { gelu: true }), linearCase([2, 3], 16, 16, { bias: false })];
  const all = [...linearCases, ...octets];
  all.forEach(hold);
  all.forEach((c) => hold(inBf16(c, BF16_TERMS.linear)));
  hold(others[0]!);
  hold(inBf16(others[0]!, BF16_TERMS.norm_mlp));
  hold(others[1]!);
  hold(inBf16(others[1]!, BF16_TERMS.norm_temporal));
  console.log(2 * (all.length + others.length), machine().products);
  console.log(deviceText());
}

function bench(): void {
  const [c] = casesInBf16([{ op: 'linear', stage: 1, timed: linearCase([40], 24, 20), macs: 40 * 24 * 20 }]);
  const how = {
    rounds: 3,
    clock: 'wall',
    check: true,
    seed: 5,
    caches: ['warm'],
    launches: ['launched', 'graph'],
  } as const;
  const rows = benchCase(c!, [OURS, ...productVariants('linear')], how);
  for (const { variant, direction, launch, flags } of rows) console.log(variant, direction, launch, flags);
  printMissing(rows, { device: 'cuda', precision: 'bf16' });
  console.log(native.cudaProducts());
}

setDefaultDevice('cuda');
if (process.argv[2] === 'bench') bench();
else holdAll();
