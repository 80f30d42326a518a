/** `bench models --device cuda`: networks are held to float64 in both types before they are timed, and limits are measured. */
import { ServedModel } from '../../src/bench/models/served';
import { native } from '../../src/core/native';
import { fmaPeak, memory } from '../../src/core/runtime';
import { tinySubject } from '../support/tiny_subject';

test.each(['f32', 'bf16'] as const)('a network in %s is held to float64, and steps', (precision) => {
  const live = memory('cuda').live;
  const what = { text: 'tiny train 1', variant: 'tiny', work: 'train', batch: 1 } as const;
  const served = new ServedModel(what, { device: 'cuda', precision }, tinySubject(), 32);
  expect(served.verify()).toBeLessThan(precision === 'f32' ? 2e-6 : 3e-2);
  expect(served.output().every(Number.isFinite)).toBe(true);
  expect(served.run()).toBeGreaterThan(0);
  served.dispose();
  expect(memory('cuda').live).toBe(live);
});

test.each(['forward', 'train'] as const)(
  'what is replayed is what is launched, bit for bit, and leaves nothing: %s',
  (work) => {
    const { live } = memory('cuda');
    const replay = jest.spyOn(native, 'cudaReplay');
    const what = { text: `tiny ${work} 1`, variant: 'tiny', work, batch: 1 } as const;
    const [launched, graph] = (['launched', 'graph'] as const).map((launch) => {
      const served = new ServedModel(what, { device: 'cuda', precision: 'f32', launch }, tinySubject(), 32);
      const replays = [1, 2, 3].map(() => (served.run(), replay.mock.calls.length));
      const logits = served.output();
      served.dispose();
      return { replays, logits };
    });
    replay.mockRestore();
    expect(graph!.logits).toEqual(launched!.logits);
    const each = work === 'forward' ? 1 : 2;
    expect([launched!.replays, graph!.replays]).toEqual([
      [0, 0, 0],
      [0, each, 2 * each],
    ]);
    expect(memory('cuda').live).toBe(live);
  },
);

test('products of bf16 have a limit of their own', () => {
  for (const device of ['cuda', 'cpu'] as const) expect(fmaPeak(0.001, device, 'bf16')).toBeGreaterThan(0);
});
