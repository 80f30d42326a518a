import { growthOver, runSynchronous } from '../support/synchronous';

const MIB = 2 ** 20;

test('a loop of training steps that never yields does not grow', () => {
  const { rss, live } = growthOver(4000);
  expect(live).toBe(0);
  expect(rss).toBeLessThan(16 * MIB);
});

test.each([
  ['large', 'm.empty([1 << 20])', 1500, 300 * MIB],
  ['small', 'm.empty([1])', 100_000, MIB],
  ['seen through a view', 'm.empty([1 << 20]).view([1 << 10, 1 << 10])', 1500, 300 * MIB],
  ['kept by a graph', 'm.gelu(m.ones([1 << 18], { requiresGrad: true }))', 500, 300 * MIB],
])('dropped tensors are freed in a loop that never yields: %s', (_, make, times, most) => {
  const program = `let most = 0;
    for (let i = 0; i < ${times}; i++) { ${make}; most = Math.max(most, m.memory().live); }
    return most;`;
  expect(runSynchronous(program)).toBeLessThan(most);
});

test('tensors in use outlive the collections that dropped ones cause', () => {
  const program = `
    const kept = Array.from({ length: 100 }, (_, i) => m.full([1000], i));
    for (let i = 0; i < 400; i++) m.empty([1 << 20]);
    for (const t of kept.splice(0, 50)) t.dispose();
    const again = Array.from({ length: 70 }, (_, i) => m.full([1000], -i));
    return [...kept.map((t) => t.floats()[999]), ...again.map((t) => t.floats()[0])];`;
  const numbers = (n: number, at: (i: number) => number) => Array.from({ length: n }, (_, i) => at(i));
  expect(runSynchronous(program)).toEqual([...numbers(50, (i) => i + 50), ...numbers(70, (i) => 0 - i)]);
});
