/** bf16 products by TMA and wgmma (--gemm wgmma): on Hopper, and in the emulation of both. */
import { noGrad } from '../../src/core/autograd';
import { kernelFlags } from '../../src/bench/flags';
import { benchCase } from '../../src/bench/kernels/measure';
import { casesInBf16 } from '../../src/bench/kernels/ops';
import { machine } from '../../src/bench/machine';
import {
  arraysOf,
  OURS,
  runVariant,
  upstreamOf,
  wgmmaVariants,
  wgmmaUnavailable,
} from '../../src/bench/kernels/variant';
import { judge, verifyAgainst } from '../../src/bench/kernels/verify';
import { bf16Tolerance, BF16_TERMS, type Bf16Terms, inBf16 } from '../../src/bench/op_cases/bf16';
import type { OpCase } from '../../src/bench/op_cases/case';
import { conv3dCase } from '../../src/bench/op_cases/conv3d';
import { convNormCase } from '../../src/bench/op_cases/conv_norm';
import { linearCase } from '../../src/bench/op_cases/linear';
import { morphFcCase } from '../../src/bench/op_cases/morph_fc';
import { normMlpCase } from '../../src/bench/op_cases/norm_mlp';
import { normSpatialCase } from '../../src/bench/op_cases/norm_spatial';
import { normTemporalCase } from '../../src/bench/op_cases/norm_temporal';
import { makeInput, makeTensor, mapInputs } from '../../src/bench/op_cases/tensors';
import { temporalFcCase } from '../../src/bench/op_cases/temporal_fc';
import { native } from '../../src/core/native';
import { scope } from '../../src/core/scope';
import { runBf16Cases } from '../support/run_bf16_cases';
import { runCli } from '../support/run_cli';
import { canLackWgmma, LACKING_WGMMA } from '../support/wgmma';

const onHopper = wgmmaUnavailable() === undefined ? describe : describe.skip;
const consecutive = { order: 'consecutive' } as const;
const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' } as const;

/** The cases, each of so many products by wgmma forward and backward. */
function byWgmma(products: number, op: keyof typeof BF16_TERMS, ...cases: readonly OpCase[]): void {
  describe(`${products} products by wgmma`, () => {
    let before = 0;
    beforeEach(() => (before = native.cudaWgmmaLaunches()));
    afterEach(() => expect(native.cudaWgmmaLaunches() - before).toBe(products));
    runBf16Cases(op, cases, BF16_TERMS[op]);
  });
}

onHopper('on Hopper', () => {
  beforeAll(() => native.cudaUseGemm('wgmma'));
  afterAll(() => native.cudaUseGemm('mma'));

  // Tiles and what does not fill them: test/emulator/hopper_test.cc.
  byWgmma(3, 'linear', linearCase([5], 24, 40, { gelu: true }), linearCase([2, 3], 16, 16));
  byWgmma(3, 'linear', linearCase([9], 8, 16, { bias: false }));
  // TMA cannot read rows of 12 values; weights are copied into padded rows, so that products of weights remain.
  byWgmma(1, 'linear', linearCase([3], 12, 24), linearCase([3], 24, 12));
  byWgmma(0, 'linear', linearCase([3], 12, 20));
  // Rows that are gathered, normalized, scaled or mixed as they are loaded stay on mma.sync.
  byWgmma(0, 'morph_fc', morphFcCase([1, 1, 3, 3, 16], { axis: 'height', chunk: 2, ...consecutive }));
  byWgmma(0, 'temporal_fc', temporalFcCase([1, 2, 3, 1, 32], 2));
  byWgmma(3, 'norm_temporal', normTemporalCase([1, 2, 3, 1, 32], 2), normTemporalCase([1, 2, 3, 1, 24], 2)); // the projection
  byWgmma(1, 'norm_mlp', normMlpCase([2, 5, 16], 24, [1.25, 0.5])); // dX of the first FC; the forward is a fused kernel
  byWgmma(2, 'norm_mlp', normMlpCase([2, 5, 24], 40, [1.25, 0.5])); // and the second FC
  byWgmma(0, 'norm_spatial', normSpatialCase({ shape: [2, 1, 3, 2, 16], chunk: 2, branches: 3, scale: [0.5, 1.25] }));
  byWgmma(0, 'conv3d', conv3dCase({ x: [1, 2, 5, 6, 8], weight: [16, 8, 1, 3, 3], ...half }));
  byWgmma(0, 'conv_norm', convNormCase({ x: [1, 2, 5, 6, 8], weight: [16, 8, 1, 3, 3], ...half }, { gelu: true }));

  // Without a backward some ops compute other products.
  test.each<[string, number, OpCase, Bf16Terms]>([
    ['normSpatial', 1, normSpatialCase({ shape: [2, 1, 3, 2, 16], chunk: 2, branches: 3 }), BF16_TERMS.norm_spatial],
    [
      'convNorm',
      0,
      convNormCase({ x: [2, 1, 4, 5, 8], weight: [16, 8, 1, 3, 3], ...half }, { training: false, gelu: true }),
      BF16_TERMS.conv_norm,
    ],
  ])('%s in bf16 without a backward: %i products by wgmma', (_, products, ofF32, terms) => {
    const [c, before] = [inBf16(ofF32, terms), native.cudaWgmmaLaunches()];
    const arrays = mapInputs(c, (input, _name, i) => makeInput(input, i));
    scope(() => {
      const y = noGrad(() => c.forward(mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, false))));
      judge('forward', y.floats(), c.oracle(arrays).data, bf16Tolerance(terms.roundings.forward));
    });
    expect(native.cudaWgmmaLaunches() - before).toBe(products);
  });

  test.each<[string, number, OpCase, Bf16Terms, number]>([
    ['linear', 3, linearCase([300], 112, 72, { bias: false }), BF16_TERMS.linear, 72],
    ['linear', 3, linearCase([270], 392, 56, { bias: false }), BF16_TERMS.linear, 56],
    ['linear', 3, linearCase([300], 160, 136, { bias: false }), BF16_TERMS.linear, 136],
    ['linear', 3, linearCase([140], 168, 72, { bias: false }), BF16_TERMS.linear, 72],
    ['normMlp', 2, normMlpCase([1, 290, 120], 136), BF16_TERMS.norm_mlp, 136],
  ])('%s of several tiles: %i products as by mma.sync', (_, products, ofF32, terms, k) => {
    const c = inBf16(ofF32, terms);
    const [arrays, before] = [arraysOf(c, 3), native.cudaWgmmaLaunches()];
    const run = (by: 'mma' | 'wgmma') => {
      native.cudaUseGemm(by);
      return runVariant(c, OURS, arrays, upstreamOf(c, 3, c.oracle(arrays).data.length));
    };
    const own = run('mma');
    expect(native.cudaWgmmaLaunches()).toBe(before);
    verifyAgainst(c, 'wgmma', run('wgmma'), own, k);
    expect(native.cudaWgmmaLaunches() - before).toBe(products);
  });

  test('results and device names state it', () => {
    expect(machine().products).toBe('own, bf16 by wgmma');
    expect(kernelFlags()).toBe(`${native.cudaFlags()}; bf16 products by wgmma`);
    native.cudaUseGemm('mma');
    expect(machine().products).toBe('own');
    expect(kernelFlags()).toBe(native.cudaFlags());
    native.cudaUseGemm('wgmma');
  });

  test('bench kernels ranks it beside mma.sync, and restores the selection', () => {
    native.cudaUseGemm('mma');
    const [c] = casesInBf16([{ op: 'linear', stage: 1, timed: linearCase([40], 24, 24), macs: 40 * 24 * 24 }]);
    const options = {
      rounds: 1,
      clock: 'wall',
      check: true,
      seed: 5,
      caches: ['warm'],
      launches: ['launched'],
    } as const;
    const rows = benchCase(c!, [OURS, ...wgmmaVariants('linear')], options);
    expect(rows.map(({ variant, flags }) => [variant, flags])).toEqual([
      ...[0, 1].map(() => ['morphmlp', native.cudaFlags()]),
      ...[0, 1].map(() => ['wgmma', `${native.cudaFlags()}; bf16 products by wgmma`]),
    ]);
    expect(native.cudaGemm()).toBe('mma');
    native.cudaUseGemm('wgmma');
  });
});

const bench = (env: NodeJS.ProcessEnv, ...args: string[]) =>
  runCli(['bench', 'kernels', '--op', 'gelu', '--stage', '4', '--rounds', '1', ...args], undefined, env);

test.each<[string[], string]>([
  [['--device', 'cpu', '--gemm', 'wgmma'], '--gemm wgmma: expected --device cuda, got cpu'],
  [['--gemm', 'mma'], '--gemm mma: expected --device cuda, got cpu'],
  [
    ['--device', 'cuda', '--gemm', 'cublas'],
    "option '--gemm <name>' argument 'cublas' is invalid. Allowed choices are mma, wgmma.",
  ],
])('%j is refused', (args, message) => {
  expect(bench({}, ...args)).toEqual({ status: 1, out: '', err: `morphmlp: ${message}\n` });
});

test('an unknown name is refused, and changes nothing', () => {
  const before = native.cudaGemm();
  expect(() => native.cudaUseGemm('own' as 'mma')).toThrow(/^expected mma or wgmma, got 'own'$/);
  expect(() => native.cudaUseGemm(1 as unknown as 'mma')).toThrow('name: expected a string, got the number 1');
  expect(native.cudaGemm()).toBe(before);
});

const lacking = canLackWgmma() ? test : test.skip;

lacking('--gemm wgmma on a device without it is an error with the reason', () => {
  const { status, out, err } = bench(LACKING_WGMMA, '--device', 'cuda', '--gemm', 'wgmma');
  expect(err).toMatch(/^morphmlp: --gemm wgmma: wgmma is not available: .+\n$/);
  expect({ status, out }).toEqual({ status: 1, out: '' });
});
