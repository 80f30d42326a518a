import { watchSteps } from '../support/steps';
import { growthOver } from '../support/synchronous';

test('10,000 training steps leave as many live bytes as 20, and resident memory flat', async () => {
  const [early, settled, late] = await watchSteps(10_000, [20, 2000, 10_000]);
  expect(late!.live).toBe(early!.live);
  expect(late!.rss - settled!.rss).toBeLessThan(16 * 2 ** 20);
}, 1_800_000);

test('20,000 training steps in a loop that never yields leave resident memory flat', () => {
  const { rss, live } = growthOver(20_000);
  expect(live).toBe(0);
  expect(rss).toBeLessThan(16 * 2 ** 20);
}, 1_800_000);
