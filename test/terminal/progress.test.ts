import { spawn } from 'node:child_process';
import path from 'node:path';
import { Progress, withProgress, type ProgressStream } from '../../src/terminal/progress';
import { displayWidth, stripEscapes } from '../../src/terminal/text_width';

class Screen implements ProgressStream {
  readonly writes: string[] = [];
  constructor(
    readonly isTTY: boolean,
    readonly columns = 100,
  ) {}
  write(text: string): void {
    this.writes.push(text);
  }
  get text(): string {
    return this.writes.join('');
  }
  /** The lines of all redraws. */
  get lines(): string[] {
    return this.writes.map((w) => stripEscapes(w).replace(/\r/g, '')).filter((l) => l.trim() !== '');
  }
}

function bar(stream: Screen, options: { total?: number; delay?: number; label?: string } = {}) {
  const clock = { ms: 0 };
  const progress = new Progress({ label: 'epoch 1/3', total: 100, stream, now: () => clock.ms, ...options });
  return { progress, clock };
}

beforeEach(() => {
  process.env['NO_COLOR'] = '1';
  process.env['TERM'] = 'xterm';
});
afterAll(() => {
  delete process.env['NO_COLOR'];
});

test('a terminal line shows label, bar, percent, figures and time left', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen);
  clock.ms = 10_000;
  progress.update(25, { loss: 1.23456, accuracy: 0.5612, clipsPerSecond: 123.4, nothing: null });
  expect(screen.lines).toEqual([
    `epoch 1/3  ${'━'.repeat(8)}${'─'.repeat(24)}   25%  loss 1.235  acc 56.1%  123 clips/s  0:30 left`,
  ]);
  progress.finish();
});

test('a terminal is redrawn at most ten times a second, and the last step is always drawn', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen, { total: 1000 });
  for (let i = 1; i <= 1000; i++) {
    clock.ms = i;
    progress.update(i);
  }
  expect(screen.lines.length).toBeLessThanOrEqual(11);
  expect(screen.lines.at(-1)).toContain('100%');
  progress.finish();
});

test.each([10, 20, 33, 40, 60, 80, 200])('a line never wraps at %d columns', (columns) => {
  const screen = new Screen(true, columns);
  const { progress, clock } = bar(screen, { label: '学习 a label with a long name 👩‍👩‍👧' });
  clock.ms = 5000;
  progress.update(50, {
    loss: 12345.678,
    accuracy: 0.5,
    clipsPerSecond: 9.87,
    learningRate: 1e-4,
    file: '片段\u0301.mp4\n\x1b[2J',
  });
  progress.finish();
  expect(screen.lines).toHaveLength(1);
  expect(displayWidth(screen.lines[0] as string)).toBeLessThan(columns);
  expect(screen.text).not.toContain('\n');
  expect(screen.text).not.toContain('\x1b[2J');
});

test('a log gets a line every tenth of the work, at most one in two seconds', () => {
  const screen = new Screen(false);
  const { progress, clock } = bar(screen);
  for (let i = 1; i <= 100; i++) {
    clock.ms = i * 300;
    progress.update(i, { loss: 2 });
  }
  expect(screen.lines).toHaveLength(10);
  expect(screen.lines[0]).toMatch(/^epoch 1\/3 {2} 10% {2}loss 2\.000 {2}3\.33\/s {2}0:27 left\n$/);
  expect(screen.text).not.toMatch(/[\x1b\r━]/);
});

test('a log gets a line every ten seconds for slow work and none for short work', () => {
  const [slow, short] = [new Screen(false), new Screen(false)];
  const a = bar(slow, { total: 10_000 });
  for (let i = 1; i <= 60; i++) {
    a.clock.ms = i * 1000;
    a.progress.update(i);
  }
  expect(slow.lines).toHaveLength(6);
  const b = bar(short);
  for (let i = 1; i <= 100; i++) {
    b.clock.ms = i * 10;
    b.progress.update(i);
  }
  expect(short.text).toBe('');
});

test('the remaining time follows the last seconds and starts from the resumed amount', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen, { total: 1000 });
  progress.startAt(500);
  clock.ms = 10_000;
  progress.update(600);
  expect(screen.lines.at(-1)).toContain('0:40 left');
  for (let i = 1; i <= 60; i++) {
    clock.ms = 10_000 + i * 1000;
    progress.update(600 + i);
  }
  expect(screen.lines.at(-1)).toContain('5:40 left');
  progress.finish();
});

test('an unknown total shows the count and the rate', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen, { total: 0, label: 'scanning' });
  clock.ms = 2000;
  progress.update(50);
  expect(screen.lines[0]).toMatch(/^scanning {2}─+ {2}50 {2}25\/s$/);
  progress.finish();
});

test('colours are written only if wanted', () => {
  delete process.env['NO_COLOR'];
  const colored = new Screen(true);
  const a = bar(colored);
  a.clock.ms = 1000;
  a.progress.update(10);
  a.progress.finish();
  expect(colored.text).toContain('\x1b[36m');
  process.env['NO_COLOR'] = '1';
  const plain = new Screen(true);
  const b = bar(plain);
  b.clock.ms = 1000;
  b.progress.update(10);
  b.progress.finish();
  expect(plain.text).not.toMatch(/\x1b\[[0-9;]*m/);
});

test('a dumb terminal gets plain lines', () => {
  process.env['TERM'] = 'dumb';
  const screen = new Screen(true);
  const { progress, clock } = bar(screen);
  clock.ms = 11_000;
  progress.update(10);
  progress.finish();
  expect(screen.text).toMatch(/^epoch 1\/3 {2} 10%.*\n$/);
});

test('the cursor is hidden once and restored, and finish leaves only its text', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen);
  const listeners = process.listenerCount('SIGINT');
  for (const i of [10, 20]) {
    clock.ms = i * 100;
    progress.update(i);
  }
  expect(process.listenerCount('SIGINT')).toBe(listeners + 1);
  progress.finish('epoch 1 done');
  expect(screen.text.split('\x1b[?25l')).toHaveLength(2);
  expect(screen.text.endsWith('\r\x1b[K\x1b[?25hepoch 1 done\n')).toBe(true);
  expect(process.listenerCount('SIGINT')).toBe(listeners);
});

test('a message is written above the bar', () => {
  const screen = new Screen(true);
  const { progress, clock } = bar(screen);
  clock.ms = 1000;
  progress.update(10);
  progress.log('skipped broken.mp4');
  expect(screen.writes.slice(-3, -1)).toEqual(['\r\x1b[K', 'skipped broken.mp4\n']);
  expect(screen.lines.at(-1)).toContain('10%');
  progress.finish();
});

test('withProgress shows nothing for two seconds and cleans up after an error', async () => {
  const screen = new Screen(true);
  const clock = { ms: 0 };
  const options = { label: 'work', total: 4, stream: screen, now: () => clock.ms };
  const result = await withProgress(options, (progress) => {
    clock.ms = 1999;
    progress.update(2);
    expect(screen.text).toBe('');
    clock.ms = 2000;
    progress.tick();
    expect(screen.lines[0]).toContain('75%');
    return 42;
  });
  expect(result).toBe(42);
  expect(screen.text.endsWith('\x1b[?25h')).toBe(true);
  const failing = withProgress(options, () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
});

/** A process that draws a bar and then waits, without signal handlers. */
const DRAWS = `
  const { Progress } = require(${JSON.stringify(path.join(__dirname, '../../src/terminal/progress.ts'))});
  const stream = { isTTY: true, columns: 80, write: (t) => require('node:fs').writeSync(1, t) };
  new Progress({ label: 'x', total: 10, stream }).update(3);
  HOW`;

function run(
  how: string,
  kill: boolean,
): Promise<{ signal: NodeJS.Signals | null; code: number | null; text: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', DRAWS.replace('HOW', how)]);
  const stuck = setTimeout(() => child.kill('SIGKILL'), 20_000);
  let [text, sent] = ['', false];
  return new Promise((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString();
      if (!kill || sent || !text.includes('30%')) return;
      sent = child.kill('SIGINT');
    });
    child.on('close', (code, signal) => {
      clearTimeout(stuck);
      resolve({ signal, code, text });
    });
  });
}

test.each([
  [
    'SIGINT still ends the process as a signal does',
    'setInterval(() => {}, 1000)',
    true,
    { signal: 'SIGINT', code: null },
  ],
  ['an exit', 'process.exit(3)', false, { signal: null, code: 3 }],
])('restores the cursor: %s', async (_, how, kill, end) => {
  const { text, ...got } = await run(how, kill);
  expect(got).toEqual(end);
  expect(text.endsWith('\x1b[?25h')).toBe(true);
});
