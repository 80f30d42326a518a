/** The spatial unit of bf16 tokens without a backward: by whole patches where frames have them (one kernel), else product by product. */
import { noGrad } from '../../src/core/autograd';
import { judge } from '../../src/bench/kernels/verify';
import { bf16Tolerance, BF16_TERMS, inBf16 } from '../../src/bench/op_cases/bf16';
import { normSpatialCase } from '../../src/bench/op_cases/norm_spatial';
import { makeInput, makeTensor, mapInputs } from '../../src/bench/op_cases/tensors';
import { memory, resetPeakMemory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';

const terms = BF16_TERMS.norm_spatial;

/** Patches beside and above each other; several frames and clips; then those that no patch of 14 x 14 tokens covers. */
const cases = [
  normSpatialCase({ shape: [2, 2, 14, 28, 112], chunk: 14, branches: 3, scale: [1.25, 0.5] }),
  normSpatialCase({ shape: [1, 1, 28, 28, 112], chunk: 14, branches: 3, bias: false, same: true }),
  normSpatialCase({ shape: [3, 1, 14, 14, 112], chunk: 14, branches: 3, scale: [0, 1, 2], bias: false }),
  normSpatialCase({ shape: [1, 1, 15, 14, 112], chunk: 14, branches: 3 }),
  normSpatialCase({ shape: [1, 1, 14, 14, 112], chunk: 28, branches: 3, same: true }),
  normSpatialCase({ shape: [1, 2, 14, 14, 112], chunk: 14, branches: 2 }),
].map((c) => inBf16(c, terms));

/** Result of the op without gradients, and the peak of memory that it added. */
function run(c: (typeof cases)[number], arrays = mapInputs(c, (input, _, i) => makeInput(input, i))) {
  return scope(() => {
    const given = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, false));
    resetPeakMemory();
    const { live } = memory('cuda');
    const y = noGrad(() => c.forward(given));
    return { arrays, y: y.floats(), peak: memory('cuda').peak - live };
  });
}

test.each(cases.map((c) => [c.name, c] as const))('normSpatial in bf16 without a backward: %s', (_, c) => {
  const { arrays, y } = run(c);
  judge('forward', y, c.oracle(arrays).data, bf16Tolerance(terms.roundings.forward));
});

test('the mixed branches are in memory only where frames have no whole patches', () => {
  const peak = (height: number) => {
    const shape = [1, 4, height, 28, 112];
    const tokens = 4 * height * 28;
    return run(inBf16(normSpatialCase({ shape, chunk: 14, branches: 3 }), terms)).peak / (2 * tokens * 112);
  };
  expect(peak(28)).toBeLessThan(1.5); // y, statistics, weights
  expect(peak(29)).toBeGreaterThan(2);
});
