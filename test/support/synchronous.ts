import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

/** Output of a synchronous program that uses dist/ as `m`; it never yields to the event loop, so no finalizer of Node-API runs. */
export function runSynchronous(program: string, ...flags: string[]): unknown {
  const source = `const m = require('./dist'); console.log(JSON.stringify((() => { ${program} })()));`;
  const found = spawnSync(process.execPath, ['--expose-gc', ...flags, '-e', source], {
    cwd: path.join(__dirname, '..', '..'),
    env: { ...process.env, MORPHMLP_ADDON: loadAddon().file, MORPHMLP_THREADS: '1' },
    encoding: 'utf8',
  });
  expect({ status: found.status, stderr: found.stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(found.stdout) as unknown;
}

/** V8 takes pages for its heap in the first steps and keeps them. Its young generation would grow by 16 MiB at some later step. */
const SETTLED = 4000;
const FULL_YOUNG_GENERATION = '--min-semi-space-size=16';

/** The growth of resident memory, in bytes, over so many training steps in one synchronous loop, and of live tensor memory. */
export function growthOver(steps: number): { rss: number; live: number } {
  const program = `
    const layers = [8, 8, 8].map((n) => new m.nn.Linear(n, n));
    const optimizer = new m.optim.AdamW(layers.flatMap((l) => l.parameters()), { lr: 1e-3 });
    const step = () => {
      m.scope(() => {
        let h = m.ones([4, 8]);
        for (const l of layers) h = m.gelu(l.forward(h));
        m.backward(m.sum(h));
      });
      optimizer.step();
      optimizer.zeroGrad();
    };
    const now = () => { gc(); gc(); return { rss: process.memoryUsage().rss, live: m.memory().live }; };
    for (let i = 0; i < ${SETTLED}; i++) step();
    const before = now();
    for (let i = 0; i < ${steps}; i++) step();
    const after = now();
    return { rss: after.rss - before.rss, live: after.live - before.live };`;
  return runSynchronous(program, FULL_YOUNG_GENERATION) as { rss: number; live: number };
}
