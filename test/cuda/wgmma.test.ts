/** bf16 products by TMA and wgmma (MORPHMLP_GEMM=wgmma): on Hopper, and in the emulation of both. */
import { machine } from '../../src/bench/machine';
import { arraysOf, OURS, runVariant, upstreamOf, whyNoWgmma } from '../../src/bench/variant';
import { verifyAgainst } from '../../src/bench/verify';
import { BF16_TERMS, inBf16 } from '../../src/cases/bf16';
import { linearCase } from '../../src/cases/linear';
import { normMlpCase } from '../../src/cases/norm_mlp';
import { native } from '../../src/native';
import { runBf16Cases } from '../support/run_bf16_cases';
import { runCli } from '../support/run_cli';
import { canLackWgmma, LACKING_WGMMA } from '../support/wgmma';

const onHopper = whyNoWgmma() === undefined ? describe : describe.skip;

onHopper('on Hopper', () => {
  beforeAll(() => native.cudaUseProducts('wgmma'));
  afterAll(() => native.cudaUseProducts('own'));

  // The last has rows that TMA cannot read. Tiles and what does not fill them: native/test/cuda_shim/hopper_test.cc.
  const shapes = [linearCase([5], 24, 40, { gelu: true }), linearCase([2, 3], 16, 16), linearCase([3], 12, 20)];
  runBf16Cases('linear', [...shapes, linearCase([9], 8, 16, { bias: false })], BF16_TERMS.linear);
  runBf16Cases('normMlp', [normMlpCase([2, 5, 16], 24, [1.25, 0.5])], BF16_TERMS.norm_mlp);

  test.each([
    [300, 112, 72],
    [270, 392, 56],
    [300, 160, 136],
  ])('[%i, k] to [%i], k = %i: as by mma.sync, gradients too, but added up otherwise', (rows, n, k) => {
    const c = inBf16(linearCase([rows], n, k, { bias: false }), BF16_TERMS.linear);
    const arrays = arraysOf(c, 3);
    const run = (by: 'own' | 'wgmma') => {
      native.cudaUseProducts(by);
      return runVariant(c, OURS, arrays, upstreamOf(c, 3, rows * n));
    };
    const [own, wgmma] = [run('own'), run('wgmma')];
    verifyAgainst(c, 'wgmma', wgmma, own, k);
    // Parts of a sum over rows are multiples of 64 here, not of 32: that other bits come shows who computed them.
    expect(Array.from(wgmma.grads.weight!)).not.toEqual(Array.from(own.grads.weight!));
  });

  test('what is measured says so, and doctor', () => {
    expect(machine().products).toBe('own, bf16 by wgmma');
    const { out } = runCli(['doctor'], undefined, { MORPHMLP_GEMM: 'wgmma' });
    expect(/^ *products: (.*)$/m.exec(out)?.[1]).toBe('our own kernels, bf16 by wgmma');
  });
});

const lacking = canLackWgmma() ? test : test.skip;

lacking('without it, asking for it is an error with the reason', () => {
  const args = ['bench', 'kernels', '--device', 'cuda', '--op', 'gelu'];
  const { status, out, err } = runCli(args, undefined, { ...LACKING_WGMMA, MORPHMLP_GEMM: 'wgmma' });
  expect(err).toMatch(/^morphmlp: MORPHMLP_GEMM: wgmma was asked for, but .+\n$/);
  expect({ status, out }).toEqual({ status: 1, out: '' });
});
