const [M0, M1] = [0xd2511f53, 0xcd9e8d57];
const [W0, W1] = [0x9e3779b9, 0xbb67ae85];

/** The high and low 32 bits of a product of two 32-bit numbers. */
function multiply(a: number, b: number): [number, number] {
  const low = Math.imul(a, b) >>> 0;
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + ((al * bl) >>> 16);
  const carry = (middle & 0xffff) + al * bh;
  return [(ah * bh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0, low];
}

/** Philox4x32-10: four 32-bit words from a counter of four and a key of two (Salmon et al., SC 2011). */
export function philox4x32(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter as [number, number, number, number];
  let [k0, k1] = key as [number, number];
  for (let round = 0; round < 10; round++) {
    const [h0, l0] = multiply(M0, c0);
    const [h1, l1] = multiply(M1, c2);
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    [k0, k1] = [(k0 + W0) >>> 0, (k1 + W1) >>> 0];
  }
  return [c0, c1, c2, c3];
}

/** What a generator needs to go on from where it was. */
export interface PhiloxState {
  seed: number;
  stream: number;
  drawn: number;
}

/** A sequence of random numbers that depends on (seed, stream) alone; the source of all randomness in data and initialisation. */
export class Philox {
  private drawn = 0;
  private block: number[] = [];

  /** @param seed 0 .. 2^53 @param stream 0 .. 2^32 - 1: sequences of different streams have nothing in common */
  constructor(
    private readonly seed: number,
    private readonly stream = 0,
  ) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new Error(`random seed: expected a whole number of 0 or more, got ${seed}`);
  }

  /** The next 32 random bits. */
  word(): number {
    if (this.drawn % 4 === 0 || this.block.length === 0) {
      const at = Math.floor(this.drawn / 4);
      const key = [this.seed >>> 0, Math.floor(this.seed / 2 ** 32) >>> 0];
      this.block = philox4x32([at >>> 0, Math.floor(at / 2 ** 32), this.stream >>> 0, 0], key);
    }
    return this.block[this.drawn++ % 4] as number;
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A whole number in [0, n). */
  int(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Shuffles an array in place (Fisher and Yates) and returns it. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [items[i], items[j]] = [items[j] as T, items[i] as T];
    }
    return items;
  }

  /** An independent generator for item `index` of this one's (seed, stream): clip i, epoch e, … */
  fork(index: number): Philox {
    const [a, b] = philox4x32(
      [index >>> 0, Math.floor(index / 2 ** 32), this.stream >>> 0, 1],
      [this.seed >>> 0, Math.floor(this.seed / 2 ** 32) >>> 0],
    );
    return new Philox((a as number) * 2 ** 20 + ((b as number) >>> 12), this.stream);
  }

  /** The state, as plain JSON. */
  state(): PhiloxState {
    return { seed: this.seed, stream: this.stream, drawn: this.drawn };
  }

  /** A generator that continues from a state. */
  static restore({ seed, stream, drawn }: PhiloxState): Philox {
    const generator = new Philox(seed, stream);
    generator.drawn = drawn;
    return generator;
  }
}
