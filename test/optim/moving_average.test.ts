import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { MovingAverage } from '../../src/optim';

test('the average keeps `decay` of itself and takes the rest of the parameter, step by step', () => {
  scope(() => {
    const p = tensor([1, -4], [2], { requiresGrad: true });
    const average = new MovingAverage([['p', p]], 0.75);
    const values = () => [...average.stateDict().get('ema.p')!];
    expect(values()).toEqual([1, -4]);
    p.copyFrom([5, 4]);
    average.update();
    expect(values()).toEqual([1 + 0.25 * 4, -4 + 0.25 * 8]);
    p.copyFrom([2, 6]);
    average.update();
    expect(values()).toEqual([2, -2 + 0.25 * 8]);
    average.swap();
    expect([[...p.floats()], values()]).toEqual([
      [2, 0],
      [2, 6],
    ]);
    average.dispose();
  });
});
