import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

/** Calls of raw kernels; MORPHMLP_FUZZ_CALLS sets another number. */
const CALLS = Number(process.env.MORPHMLP_FUZZ_CALLS ?? 100_000);
const PER_CHILD = 5000;

test('raw kernels refuse random arguments by a sentence or run, and no process crashes or hangs', () => {
  let ran = 0;
  for (let seed = 1; seed <= Math.ceil(CALLS / PER_CHILD); seed++) {
    const args = [path.join(__dirname, 'kernels.cjs'), loadAddon().file, String(seed), String(PER_CHILD)];
    const child = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 300_000 });
    expect({ seed, status: child.status, signal: child.signal }).toEqual({ seed, status: 0, signal: null });
    const found = JSON.parse(child.stdout) as { ran: number; problems: string[] };
    expect({ seed, problems: found.problems }).toEqual({ seed, problems: [] });
    ran += found.ran;
  }
  process.stdout.write(`fuzzed kernels: ${CALLS} calls, ${ran} accepted, no crash\n`);
  expect(ran).toBeGreaterThan(CALLS / 100);
}, 7_200_000);
