import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { loadAddon } from '../../src/core/addon_path';
import { KERNEL_NAMES } from '../../src/core/kernels';
import { native, type DType, type Handle } from '../../src/core/native';
import { setThreads, threads } from '../../src/core/runtime';

interface Probed {
  kernels: string[];
  calls: number;
  ran: number;
  problems: string[];
}

/** Runs a probe of probe.cjs in a child process, so that a crash or hang fails the test, not the test runner. */
function probe(name: string): Probed {
  const args = [path.join(__dirname, 'probe.cjs'), loadAddon().file, name];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000, maxBuffer: 1 << 26 });
  expect({ status: run.status, signal: run.signal, stderr: run.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  return JSON.parse(run.stdout) as Probed;
}

/** Expects at least `calls` calls per kernel without problems, at least `ran` of them accepted. */
test.each([
  ['arguments', 'runs with sizes of 1, and refuses one argument more and any number less', 4, 1],
  ['types', 'refuses every argument of a wrong type, freed, foreign, too small or of another dtype', 40, 0],
  ['sizes', 'refuses negative, huge and NaN sizes', 8, 0],
  ['combinations', 'refuses or computes any sizes, 0 and 2^52 among them', 300, 10],
  ['aliasing', 'refuses one buffer for two arguments, or computes as with two', 10, 1],
])('every kernel, %s: %s', (name, _, calls, ran) => {
  const found = probe(name);
  expect(found.kernels).toEqual(KERNEL_NAMES);
  expect(found.problems).toEqual([]);
  expect(found.calls).toBeGreaterThanOrEqual(calls * KERNEL_NAMES.length);
  expect(found.ran).toBeGreaterThanOrEqual(ran * KERNEL_NAMES.length);
});

test('a getter of a list cannot free a buffer under the kernel that reads it', () => {
  expect(probe('getters')).toMatchObject({ problems: [], ran: 3 });
});

describe('buffers', () => {
  const make = (...args: unknown[]) => native.bufferNew(...(args as [DType, 'cpu', number]));
  const freed = native.bufferNew('f32', 'cpu', 1);
  native.bufferFree(freed);

  test.each([
    [[], 'bufferNew: argument dtype: expected f32, bf16, i32 or u8, got undefined'],
    [['f16', 'cpu', 1], "bufferNew: dtype 'f16' is not one of f32, bf16, i32, u8"],
    [['f32', 'gpu', 1], "bufferNew: device 'gpu' is not one of cpu, cuda"],
    [['f32', 5, 1], 'bufferNew: argument device: expected cpu or cuda, got the number 5'],
    [['f32', 'cpu', '1'], /bufferNew: argument length: expected a whole number from 0 to \d+, got a string/],
    [['f32', 'cpu', -1], /argument length: expected .* got the number -1/],
    [['f32', 'cpu', 1.5], /argument length: expected .* got the number 1.5/],
    [['f32', 'cpu', NaN], /argument length: expected .* got the number NaN/],
    [['f32', 'cpu', 2 ** 60], /argument length: expected .* got the number 1152921504606847000/],
    [['f32', 'cpu', 2 ** 45], 'bufferNew: out of memory: 140737488355328 bytes requested at once'],
  ])('bufferNew%j is refused: %s', (args, message) => expect(() => make(...args)).toThrow(message));

  test.each([undefined, null, {}, 'x', 7, [freed]])('%p is not a buffer', (value) => {
    const handle = value as unknown as Handle;
    expect(() => native.bufferFree(handle)).toThrow(/^bufferFree: argument handle: expected a buffer, got /);
    expect(() => native.bufferRead(handle, new Float32Array(1))).toThrow(
      /^bufferRead: argument handle: expected a buffer/,
    );
  });

  test('a freed handle is used again only where it is passed, and a live one is not', () => {
    const spare = make('f32', 'cpu', 1);
    expect(() => make('f32', 'cpu', 2, spare)).toThrow('argument spare: expected a freed buffer, got one in use');
    expect([native.bufferFree(spare), native.bufferFree(spare)]).toEqual([true, false]);
    expect(make('f32', 'cpu', 2, spare)).toBe(spare);
    native.bufferRead(spare, new Float32Array(2));
    native.bufferFree(spare);
  });

  test('the version counts what is written, not what is refused', () => {
    const [x, y] = [make('f32', 'cpu', 2), make('f32', 'cpu', 2)];
    native.bufferWrite(x, Float32Array.of(1, 2));
    native.kernels.accumulate_copy(2, x, y);
    expect(() => native.kernels.accumulate_copy(2, y, y)).toThrow(
      'accumulate_copy: argument into, which is written, overlaps argument from',
    );
    native.kernels.accumulate_forward(2, x, y);
    expect([x, y].map(native.bufferVersion)).toEqual([1, 2]);
    [x, y].forEach(native.bufferFree);
  });

  test('a freed buffer is named; freeing it again does no harm', () => {
    native.bufferFree(freed);
    const write = () => native.bufferWrite(freed, new Float32Array(1));
    expect(write).toThrow('bufferWrite: argument handle: expected a buffer, got a freed buffer');
  });

  test('arrays of the wrong size or kind are refused', () => {
    const handle = make('f32', 'cpu', 2);
    const detached = new Float32Array(2);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const tooSmall = /expected 8 bytes, as the buffer has, got /;
    for (const array of [new Float32Array(1), new Float32Array(3), new Uint8Array(7), detached]) {
      expect(() => native.bufferRead(handle, array)).toThrow(tooSmall);
      expect(() => native.bufferWrite(handle, array)).toThrow(tooSmall);
    }
    for (const array of [new DataView(new ArrayBuffer(8)), [1, 2] as unknown as Float32Array, null as never])
      expect(() => native.bufferRead(handle, array)).toThrow(
        /^bufferRead: argument array: expected a typed array, got /,
      );
    native.bufferFree(handle);
  });

  test('a range is written and nothing outside it', () => {
    const handle = make('f32', 'cpu', 5);
    native.bufferWrite(handle, Float32Array.of(1, 2, 3, 4, 5));
    native.bufferWrite(handle, Float32Array.of(7, 8), 3, 2);
    const into = new Float32Array(5);
    native.bufferRead(handle, into);
    expect([...into]).toEqual([1, 2, 3, 7, 8]);
    const two = new Float32Array(2);
    expect(() => native.bufferWrite(handle, two, 6, 2)).toThrow(/argument first: expected a whole number from 0 to 5/);
    expect(() => native.bufferWrite(handle, two, 4, 2)).toThrow(/argument length: expected a whole number from 0 to 1/);
    expect(() => native.bufferWrite(handle, two, 1, 3)).toThrow('expected 12 bytes, as the range has, got 8');
    native.bufferFree(handle);
  });

  test('arrays in shared memory are supported', () => {
    const handle = make('f32', 'cpu', 3);
    const [from, into] = [1, 2].map(() => new Float32Array(new SharedArrayBuffer(16), 4, 3)) as [
      Float32Array,
      Float32Array,
    ];
    from.set([1, 2, 3]);
    native.bufferWrite(handle, from);
    native.bufferRead(handle, into);
    expect([...into]).toEqual([1, 2, 3]);
    native.bufferFree(handle);
  });
});

test('invalid settings are refused and change nothing', () => {
  const before = [threads(), native.isa()];
  for (const n of [0, -1, 257, 1.5, NaN, Infinity, '2' as unknown as number, undefined as unknown as number])
    expect(() => setThreads(n)).toThrow(/^setThreads: argument threads: expected a whole number from 1 to 256, got /);
  expect(() => native.setIsa('mmx')).toThrow(
    /^setIsa: instruction set 'mmx' is not available here; this machine has: /,
  );
  expect(() => native.setIsa(3 as unknown as string)).toThrow(/^setIsa: argument name: expected .*, got the number 3$/);
  for (const seconds of [0, -1, 11, NaN])
    expect(() => native.fmaPeak(seconds)).toThrow(
      /^fmaPeak: argument seconds: expected a number above 0, at most 10, got /,
    );
  expect([threads(), native.isa()]).toEqual(before);
});
