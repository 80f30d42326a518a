import { backward } from '../../src/core/autograd';
import { native } from '../../src/core/native';
import { setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { conv3dCases } from '../../src/bench/op_cases/conv3d';
import type { OpCase } from '../../src/bench/op_cases/case';
import { linearCases } from '../../src/bench/op_cases/linear';
import { morphFcCases, morphFcGroupCases } from '../../src/bench/op_cases/morph_fc';
import { normMlpCases } from '../../src/bench/op_cases/norm_mlp';
import { normSpatialCases } from '../../src/bench/op_cases/norm_spatial';
import { normTemporalCases } from '../../src/bench/op_cases/norm_temporal';
import { gradientFor, makeInput, makeTensor, mapInputs, rounded } from '../../src/bench/op_cases/tensors';
import { bf16Tolerance, BF16_TERMS, inBf16 } from '../../src/bench/op_cases/bf16';
import { judge } from '../../src/bench/kernels/verify';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { expectSameBits, trainSteps } from '../support/train_steps';

const start = { threads: threads(), isa: native.isa() };
afterEach(() => {
  setThreads(start.threads);
  native.setIsa(start.isa);
});

test.each(['f32', 'bf16'] as const)('training in %s has the same bits for 1, 2 and 4 threads', expectSameBits);

test('drop path was at work in those steps', () => {
  expect(trainSteps()[0]).not.toEqual(trainSteps('f32', 0)[0]);
});

const CASES: OpCase[] = [
  ...[linearCases, morphFcCases, conv3dCases, normMlpCases, normSpatialCases, normTemporalCases].flat(),
];

/** The output and all gradients of a case. */
function run(c: OpCase): Float32Array[] {
  return scope(() => {
    const inputs = mapInputs(c, (input, _, i) => makeTensor(input, makeInput(input, i), true));
    const y = c.forward(inputs);
    const gy = uniform(77, y.size);
    backward(y, gradientFor(y, c.roundings ? rounded(gy) : gy));
    const grads = Object.values(inputs).flatMap(({ grad }) => (grad ? [grad] : []));
    const results = [y, ...grads].map((t) => t.floats());
    grads.forEach((grad) => grad.dispose());
    return results;
  });
}

/** Results of a case on an instruction set, after a check that 1, 2 and 4 threads give the same bits. */
function sameForThreads(c: Parameters<typeof run>[0], isa: string): ReturnType<typeof run> {
  native.setIsa(isa);
  const [one, ...more] = [1, 2, 4].map((n) => {
    setThreads(n);
    return run(c);
  });
  more.forEach((other) => expect({ name: c.name, bits: other }).toEqual({ name: c.name, bits: one }));
  native.setIsa(start.isa);
  return one!;
}

test.each(native.isas())(
  'the ops on %s have the same bits for 1, 2 and 4 threads, and those of float64 but for rounding',
  (isa) => {
    for (const c of CASES) {
      const one = sameForThreads(c, isa);
      const here = run(c);
      one.forEach((values, i) => {
        const error = relativeError(values, here[i]!);
        expect({ name: c.name, i, error, same: error < 1e-5 }).toMatchObject({ name: c.name, i, same: true });
      });
      const arrays = mapInputs(c, (input, _, i) => makeInput(input, i));
      expect(relativeError(one[0]!, c.oracle(arrays).data)).toBeLessThan(c.tolerance?.forward ?? 1e-6);
    }
  },
);

const BF16_CASES = [
  ...linearCases.map((c) => inBf16(c, BF16_TERMS.linear)),
  ...[...morphFcCases, ...morphFcGroupCases].map((c) => inBf16(c, BF16_TERMS.morph_fc)),
  ...conv3dCases.map((c) => inBf16(c, BF16_TERMS.conv3d)),
  ...normMlpCases.map((c) => inBf16(c, BF16_TERMS.norm_mlp)),
  ...normSpatialCases.map((c) => inBf16(c, BF16_TERMS.norm_spatial)),
  ...normTemporalCases.map((c) => inBf16(c, BF16_TERMS.norm_temporal)),
];

test.each(native.isas())(
  'the ops on %s in bf16 have the same bits for 1, 2 and 4 threads, and those of float64 but for the roundings',
  (isa) => {
    for (const c of BF16_CASES) {
      const one = sameForThreads(c, isa);
      const here = run(c);
      one.forEach((values, i) => {
        const { l2 } = bf16Tolerance(i === 0 ? c.roundings!.forward : c.roundings!.gradient);
        expect({ name: c.name, i, error: relativeError(values, here[i]!) < l2 }).toEqual({
          name: c.name,
          i,
          error: true,
        });
      });
      const arrays = mapInputs(c, (input, _, i) => makeInput(input, i));
      judge('forward', one![0]!, c.oracle(arrays).data, bf16Tolerance(c.roundings!.forward));
    }
  },
);
