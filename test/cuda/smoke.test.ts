/** The smoke test of the CUDA kernels (test/smoke), compiled for the emulation. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';

const root = path.join(__dirname, '..', '..');
const program = path.join(path.dirname(loadAddon().file), 'smoke');

interface Line {
  case: string;
  status: string;
  error: number | null;
  limit: number;
  ms: number;
  seconds: number;
  note: string;
}

function smoke(...args: string[]): { status: number | null; lines: Line[]; stderr: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: root });
  return {
    status,
    stderr,
    lines: stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line),
  };
}

test('every case is right in the emulation, in a process of its own and in one process', () => {
  const names = spawnSync(program, ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n');
  const { status, lines } = smoke('--limit', '300');
  expect(lines.filter((line) => line.status !== 'ok')).toEqual([]);
  expect(status).toBe(0);
  expect(lines.map((line) => line.case)).toEqual(names);
  expect(names.length).toBeGreaterThan(20);
  for (const { error, limit, ms } of lines) {
    expect(limit).toBeGreaterThan(0);
    expect(error).toBeLessThanOrEqual(limit);
    expect(ms).toBeGreaterThan(0);
  }
  expect(smoke('--one-process', 'elementwise_adamw', 'graph_of_adamw').lines.map((line) => line.status)).toEqual([
    'ok',
    'ok',
  ]);
});

// The emulation notices where no thread can go on; on a GPU the debug build traps.
test.each<[string, Partial<Line>]>([
  ['planted_wrong', { status: 'wrong', error: 0.5, limit: 1e-6, note: 'a planted value' }],
  ['planted_nan', { status: 'wrong', error: null, note: 'a planted value' }],
  ['planted_unsteady', { status: 'wrong', error: null, note: 'the bits of a second launch' }],
  ['planted_hang', { status: 'hang', note: 'ended after 5 s' }],
  ['planted_crash', { status: 'crash', note: 'Aborted: ' }],
  ['planted_barrier', { status: 'crash', note: 'Aborted: cuda_shim: threads wait for an event that no thread causes' }],
])('%s is reported, and the case after it runs', (name, expected) => {
  const { status, lines } = smoke('--limit', '5', name, 'elementwise_adamw');
  expect(lines[0]).toMatchObject({ case: name, ...expected });
  expect(lines.slice(1)).toMatchObject([{ case: 'elementwise_adamw' }]);
  expect(status).toBe(1);
});

test.each<[string[], string]>([
  [['bogus'], "smoke: unknown case 'bogus' (smoke --list)"],
  [['--limit', '0'], 'smoke: --limit: expected seconds above 0'],
  [['--fast'], "smoke: unknown option '--fast'"],
])('%j is refused', (args, message) => {
  const { status, lines, stderr } = smoke(...args);
  expect({ status, lines }).toEqual({ status: 2, lines: [] });
  expect(stderr.split('\n')[0]).toBe(message);
});
