/** `bench profile --device cuda` times every kernel of a step by the GPU's timer. */
import { inputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { MorphMLP } from '../../src/models/morphmlp';
import { memory } from '../../src/core/runtime';
import { byKernel, studyCost } from '../../src/study/cost';
import { tinySubject } from '../support/tiny_subject';

test.each(['f32', 'bf16'] as const)('a training step in %s: each kernel has its time, its work and its memory', (p) => {
  const { live } = memory('cuda');
  const { config, name } = tinySubject();
  const network = new MorphMLP(config);
  network.precision = p;
  const subject = {
    name,
    checkpoint: null,
    network,
    input: inputSpec({ frames: 1, rate: 1, crop: 32, normalisation: NORMALISATION }),
    classNames: [],
    clips: [],
  };
  const cost = studyCost(subject, { work: 'train', batch: 2, steps: 1 });
  for (const { ms, live: bytes, peak } of cost.ops) {
    expect(ms).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThan(0);
    expect(peak).toBeGreaterThanOrEqual(bytes);
  }
  const kernels = byKernel(cost);
  expect(kernels.map(({ name: kernel }) => kernel)).toEqual(
    expect.arrayContaining(['norm_mlp_forward', 'norm_mlp_backward', 'conv3d_forward', 'adamw_step']),
  );
  expect(kernels.reduce((sum, { macs }) => sum + macs, 0)).toBe(cost.total.macs);
  expect(kernels.map(({ ms }) => ms)).toEqual(kernels.map(({ ms }) => ms).sort((a, b) => b - a));
  network.dispose();
  expect(memory('cuda').live).toBe(live);
});
