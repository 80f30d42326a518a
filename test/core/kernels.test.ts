import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { addLayer, isReplaced, kernels, withLayer, type Layer } from '../../src/core/dispatch';
import { dryRun } from '../../src/core/dry_run';
import { ROLES } from '../../src/core/kernels';
import { naivePlugin, pluginFor, usePlugin, withPlugin } from '../../src/core/plugins';
import { scope } from '../../src/core/scope';
import { empty, tensor } from '../../src/core/tensor';
import { gelu } from '../../src/ops/gelu';
import { reshape } from '../../src/ops/reshape';
import { backward } from '../../src/core/autograd';
import { instead } from '../support/spoil';

test('files generated from native/ops/*.def are up to date', () => {
  const script = path.join(__dirname, '..', '..', 'tools', 'build', 'generate_kernels.cjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('arguments are matched by name', () => {
  scope(() => {
    const [x, gamma, beta] = [tensor([1, 3]), tensor([2, 2]), tensor([5, 7])];
    const [y, mean, rstd] = [empty([1, 2]), empty([1]), empty([1])];
    const call = { rows: 1, cols: 2, eps: 0, y, rstd, mean, beta, x, gamma };
    kernels.layerNormForward(call);
    expect([...y.floats(), ...mean.floats(), ...rstd.floats()]).toEqual([3, 9, 2, 1]);
    // @ts-expect-error: beta is missing
    const wrong: Parameters<typeof kernels.layerNormForward>[0] = { rows: 1, cols: 2, eps: 0, x, gamma, y, mean, rstd };
    expect(() => kernels.layerNormForward(wrong)).toThrow();
    expect(() => kernels.layerNormForward({ ...call, beta: mean })).toThrow(
      'layer_norm_forward: argument beta: expected 2 x f32, got 1 x f32 on cpu',
    );
  });
});

test('roles are those of the .def files', () => {
  expect(ROLES.adamw_step).toEqual({
    in: ['gradients', 'numbers'],
    out: [],
    update: ['parameters', 'first', 'second'],
  });
  expect(ROLES.norm_spatial_branches_backward.out).toEqual(['dx', 'dgamma', 'dbeta', 'dweight', 'dbias']);
  expect(ROLES.conv_norm_forward.update).toEqual(['runningMean', 'runningVar']);
});

describe('layers', () => {
  const seen: string[] = [];
  const noting = (name: string): Layer => ({
    over: (below) => ({
      launch(kernel, args) {
        seen.push(`${name} ${kernel}`);
        below.launch(kernel, args);
      },
    }),
  });
  const run = () => scope(() => [...gelu(tensor([0, 1e3])).floats()]);
  beforeEach(() => void (seen.length = 0));

  test('the last layer is on top, and each is removed separately', () => {
    const first = addLayer(noting('a'));
    const second = addLayer(noting('b'));
    expect(run()).toEqual([0, 1e3]);
    first();
    run();
    second();
    run();
    expect(seen).toEqual(['b gelu_forward', 'a gelu_forward', 'b gelu_forward']);
    first(); // twice is once
    expect(run()).toEqual([0, 1e3]);
  });

  test('a layer whose body throws is removed', () => {
    const fault = instead('gelu_forward', () => {
      throw new Error('a fault');
    });
    expect(() => withLayer(fault, run)).toThrow('a fault');
    expect(run()).toEqual([0, 1e3]);
  });

  test('a layer observes a dry run below it, which computes nothing', () => {
    dryRun(() => withLayer(noting('over'), () => expect(run()).toEqual([0, 0])));
    expect(seen).toEqual(['over gelu_forward']);
  });

  test('isReplaced reports the ops of a layer only while it is active', () => {
    withPlugin(naivePlugin('gelu'), () => {
      expect([isReplaced('linear', 'gelu'), isReplaced('linear')]).toEqual([true, false]);
      withPlugin(naivePlugin('gelu'), () => expect(pluginFor('gelu')).toBeDefined());
    });
    expect(isReplaced('gelu')).toBe(false);
  });

  test("a plugin's gradient applies to its own output, not to a view of it", () => {
    const values = [-1, 0.5, 2, -0.25];
    const gradient = () =>
      scope(() => {
        const x = tensor(values, undefined, { requiresGrad: true });
        const y = reshape(gelu(x), [2, 2]);
        backward(y, tensor([1, 2, 3, 4], [2, 2]));
        return [...x.grad!.floats()];
      });
    const expected = gradient();
    const found = withPlugin(naivePlugin('gelu'), gradient);
    found.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 5));
  });

  test('two plugins cannot replace the same op', () => {
    const plugin = naivePlugin('temporal_fc');
    withPlugin(plugin, () => {
      usePlugin(plugin); // it does already
      expect(() => usePlugin(naivePlugin('temporal_fc'))).toThrow('already replaces temporal_fc');
    });
    expect(pluginFor('temporal_fc')).toBeUndefined();
  });
});
