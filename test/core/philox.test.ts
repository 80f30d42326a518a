import { Philox, philox4x32 } from '../../src/core/philox';

const hex = (words: ArrayLike<number>): string => Array.from(words, (w) => w.toString(16).padStart(8, '0')).join(' ');

const block = (counter: number[], key: number[]): string => hex(philox4x32(counter, key));

describe('philox4x32-10', () => {
  const ones = 0xffffffff;
  test.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[ones, ones, ones, ones], [ones, ones], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])("gives Random123's known answer for counter %j, key %j", (counter, key, want) => {
    expect(block(counter, key)).toBe(want);
  });
});

describe('Philox', () => {
  test('word i is word i mod 4 of block floor(i / 4) of its seed and stream', () => {
    const rng = new Philox(0x1_0000_0007, 9);
    const drawn = Uint32Array.from({ length: 12 }, () => rng.word());
    expect(hex(drawn.subarray(8))).toBe(block([2, 0, 9, 0], [7, 1]));
    expect(rng.wordAt(3)).toBe(drawn[3]);
    expect(rng.word()).toBe(new Philox(0x1_0000_0007n, 9).wordAt(12));
  });

  test('blocks beyond 2^32 use the high counter word', () => {
    const state = { key: [1, 2], stream: [3, 4], position: 4 * 2 ** 32 + 4 };
    const rng = Philox.restore(state as never);
    const drawn = Uint32Array.from({ length: 4 }, () => rng.word());
    expect(hex(drawn)).toBe(block([1, 1, 3, 4], [1, 2]));
  });

  test('a state restored from JSON continues with the same numbers', () => {
    const rng = new Philox(42).fork('x');
    for (let i = 0; i < 7; i++) rng.normal();
    const copy = Philox.restore(JSON.parse(JSON.stringify(rng.state())));
    const next = (r: Philox): unknown[] => [r.uniform(), r.normal(), r.int(10), ...r.shuffle([1, 2, 3, 4, 5])];
    expect(next(copy)).toEqual(next(rng));
  });

  test('a fork depends on its label and not on earlier draws', () => {
    const rng = new Philox(1);
    const before = rng.fork('a').word();
    rng.word();
    expect(rng.fork('a').word()).toBe(before);
    const labels: (string | number)[] = ['a', 'b', 'ab', 'ba', '', 0, 1, '0', '1', -1, 2 ** 40];
    const words = labels.map((label) => rng.fork(label).word());
    expect(new Set(words).size).toBe(labels.length);
    expect(rng.fork('a').fork('b').word()).not.toBe(rng.fork('b').fork('a').word());
  });

  test('seeds and streams differ', () => {
    const words = [new Philox(0), new Philox(1), new Philox(0, 1), new Philox(-1), new Philox(1n << 40n)].map((r) =>
      r.word(),
    );
    expect(new Set(words).size).toBe(5);
  });

  test('a normal number is that of Box and Muller from the next two words', () => {
    const [rng, plain] = [new Philox(11), new Philox(11)];
    for (let i = 0; i < 20; i++) {
      const [u, v] = [(plain.word() + 1) / 2 ** 32, plain.word() / 2 ** 32];
      expect(rng.normal(3, 2)).toBeCloseTo(3 + 2 * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v), 12);
    }
  });

  test('uniform and normal have the expected moments', () => {
    const rng = new Philox(3);
    const n = 40000;
    const u = Array.from({ length: n }, () => rng.uniform());
    const g = Array.from({ length: n }, () => rng.normal());
    const mean = (a: number[]): number => a.reduce((s, x) => s + x, 0) / a.length;
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
    expect(Math.abs(mean(u) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean(u.map((x) => (x - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.002);
    expect(Math.abs(mean(g))).toBeLessThan(0.02);
    expect(Math.abs(mean(g.map((x) => x * x)) - 1)).toBeLessThan(0.03);
    expect(Math.abs(mean(g.map((x) => x ** 4)) - 3)).toBeLessThan(0.25);
  });

  test('int covers 0..n-1 evenly', () => {
    const rng = new Philox(4);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 14000; i++) counts[rng.int(7)]!++;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  test('shuffle permutes, also typed arrays', () => {
    const order = new Philox(5).shuffle(Int32Array.from({ length: 100 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('bytes are the bytes of the next whole blocks', () => {
    const rng = new Philox(6);
    rng.word();
    const bytes = rng.bytes(20);
    const plain = new Philox(6);
    const words = Uint32Array.from({ length: 12 }, () => plain.word());
    expect([...bytes]).toEqual([...new Uint8Array(words.buffer, 16, 20)]);
    expect(rng.word()).toBe(plain.word());
  });

  test.each([
    [() => new Philox(1.5), 'seed must be an integer'],
    [() => new Philox(1, -1), 'stream must be'],
    [() => new Philox(1).int(0), 'n must be in 1..2^32, got 0'],
    [() => new Philox(1).fork(0.5), 'numeric label must be an integer'],
    [() => Philox.restore({} as never), 'expected a state'],
  ])('bad input %#', (call, message) => {
    expect(call).toThrow(message);
  });
});
