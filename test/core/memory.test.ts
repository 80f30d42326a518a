import { memory } from '../../src/core/runtime';
import { collectGarbage } from '../support/collect';
import { watchSteps } from '../support/steps';

test('2,000 training steps leave as many live bytes as 20, and resident memory flat', async () => {
  await collectGarbage();
  const before = memory().live;
  const [early, settled, late] = await watchSteps(2000, [20, 500, 2000]);
  expect(late!.live).toBe(early!.live);
  expect(late!.rss - settled!.rss).toBeLessThan(16 * 2 ** 20);
  expect(memory().live).toBe(before);
}, 300_000);
