import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

/** Runs a program that uses dist/ as `m` with --expose-gc; returns its output. */
function run(program: string): unknown {
  const cwd = path.join(__dirname, '..', '..');
  const source = `const m = require('./dist');
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const collect = async () => { for (let i = 0; i < 4; i++) { gc(); await turn(); } };
    (async () => console.log(JSON.stringify(await (async () => { ${program} })())))();`;
  const env = { ...process.env, MORPHMLP_ADDON: loadAddon().file };
  const found = spawnSync(process.execPath, ['--expose-gc', '-e', source], {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 40_000,
  });
  expect({ status: found.status, stderr: found.stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(found.stdout) as unknown;
}

const BYTES = 20 * (1 << 20); // 20 tensors of 1 MiB each

test('memory of unreachable tensors is freed in the event loop turn after a collection', () => {
  const program = `
    const before = m.memory().live;
    const made = (() => { let t = []; for (let i = 0; i < 20; i++) t.push(m.zeros([1 << 18])); return m.memory().live; })();
    await collect();
    return [made - before, m.memory().live - before];`;
  expect(run(program)).toEqual([BYTES, 0]);
});

test('a reachable tensor, view or graph is not collected', () => {
  const program = `
    const before = m.memory().live;
    const view = (() => m.zeros([1 << 18]).view([1 << 9, 1 << 9]))();
    const loss = (() => { const x = m.tensor([3], [1], { requiresGrad: true }); globalThis.x = x; return m.sum(m.mul(x, x)); })();
    await collect();
    m.backward(loss);
    return [m.memory().live - before > 1 << 20, view.data().length, x.grad.item()];`;
  expect(run(program)).toEqual([true, 1 << 18, 6]);
});

// `process.memoryUsage().external` excludes memory reported by addons, so the two tests check the effect of the report.
test('allocations are reported to the runtime: unreachable tensors trigger a collection', () => {
  const program = `
    let most = 0;
    for (let i = 0; i < 1500; i++) { m.empty([1 << 20]); most = Math.max(most, m.memory().live); await turn(); }
    return most / 2 ** 22;`;
  expect(run(program)).toBeLessThan(300); // of 1500
});

test('frees are reported to the runtime: disposed tensors trigger no collection', () => {
  const program = `
    const { PerformanceObserver, constants } = require('node:perf_hooks');
    let collections = 0;
    const count = (list) => (collections += list.getEntries().filter((e) => e.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length);
    new PerformanceObserver(count).observe({ entryTypes: ['gc'] });
    for (let i = 0; i < 1500; i++) { m.empty([1 << 20]).dispose(); await turn(); }
    await turn();
    return collections;`;
  expect(run(program)).toBeLessThan(15);
});
