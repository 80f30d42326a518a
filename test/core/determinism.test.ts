import { backward } from '../../src/core/autograd';
import { MorphMLP } from '../../src/models/morphmlp';
import type { MorphMlpConfig } from '../../src/models/config';
import { native, type Precision } from '../../src/core/native';
import { seedInit } from '../../src/nn/init';
import { crossEntropy } from '../../src/ops/cross_entropy';
import { AdamW, clipGradNorm, parameterGroups } from '../../src/optim';
import { manualSeed } from '../../src/core/generator';
import { setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
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

const CONFIG: MorphMlpConfig = {
  ...{ kind: 'video', layers: [1, 1, 2, 1], embedDims: [28, 56, 84, 196], segmentDim: [14, 28, 28, 49] },
  ...{ frames: 8, numClasses: 5, mlpRatio: 3, qkvBias: true, dropPath: 0.4 },
};

const start = { threads: threads(), isa: native.isa() };
afterEach(() => {
  setThreads(start.threads);
  native.setIsa(start.isa);
});

/** Two training steps with drop path and clipping: every loss, and all parameters and buffers after them. */
function trainSteps(precision: Precision = 'f32'): Float32Array[] {
  seedInit(1);
  manualSeed(2);
  const model = new MorphMLP(CONFIG).train() as MorphMLP;
  model.precision = precision;
  const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-2 });
  const losses = [0, 1].map((step) => {
    const loss = scope(() => {
      const x = tensor(uniform(step, 2 * 3 * 8 * 61 * 56), [2, 3, 8, 61, 56]);
      const made = crossEntropy(model.forward(x), tensor(Int32Array.of(0, 4)));
      backward(made);
      return made.item();
    });
    clipGradNorm(model.parameters(), 1);
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  });
  const state = model.namedTensors().map(([, t]) => t.floats());
  model.dispose();
  optimizer.dispose();
  return [Float32Array.from(losses), ...state];
}

const ISAS = native.isas().flatMap((isa) => [[isa, 'f32'] as const, [isa, 'bf16'] as const]);

test.each(ISAS)('training on %s in %s has the same bits for 1, 2 and 4 threads', (isa, precision) => {
  native.setIsa(isa);
  const [one, ...more] = [1, 2, 4].map((n) => {
    setThreads(n);
    return trainSteps(precision);
  });
  expect(one!.every((values) => values.every(Number.isFinite))).toBe(true); // NaNs would equal each other
  more.forEach((other) => expect(other).toEqual(one));
});

test('drop path was at work in those steps', () => {
  const dropped = trainSteps()[0];
  const config = { ...CONFIG };
  Object.assign(CONFIG, { dropPath: 0 });
  const whole = trainSteps()[0];
  Object.assign(CONFIG, config);
  expect(dropped).not.toEqual(whole);
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
