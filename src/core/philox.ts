/**
 * The project's only source of randomness: the counter-based generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A generator is identified by a 64-bit key (the seed) and a 64-bit stream; its output is the sequence of 32-bit words
 *
 *     word(i) = philox4x32_10(counter = [n lo, n hi, stream lo, stream hi], key = [seed lo, seed hi])[i mod 4],   n = floor(i / 4)
 *
 * so that word i does not depend on earlier words. Kernels use the same rule: src/core/generator.ts passes a seed and an offset to the
 * dropout kernel, and word(offset + i) of `new Philox(seed)` decides its element i (row-major) on any device and any number of
 * threads; a recomputed forward pass draws the same mask again. All other code draws from other streams or from forks.
 */

const MULTIPLIER_A = 0xd2511f53;
const MULTIPLIER_B = 0xcd9e8d57;
const WEYL_A = 0x9e3779b9;
const WEYL_B = 0xbb67ae85;
const ROUNDS = 10;
/** Mixed into the key of a fork, so that forks and draws never use the same block. */
const FORK_DOMAIN = 0x464f524b;
const TWO_32 = 4294967296;
/** Looked up once: in a sandboxed context (jest, node:vm) every access to a global is slow. */
const { ceil, cos, floor, imul, log, sqrt, PI } = Math;

/** High 32 bits of the unsigned product a · b. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** Writes the block of counter c0..c3 and key k0, k1, four unsigned words, to `out[at .. at+3]`. */
function philoxBlock(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Uint32Array,
  at = 0,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const highA = multiplyHigh(MULTIPLIER_A, c0);
    const lowA = imul(MULTIPLIER_A, c0) >>> 0;
    const highB = multiplyHigh(MULTIPLIER_B, c2);
    const lowB = imul(MULTIPLIER_B, c2) >>> 0;
    c0 = (highB ^ c1 ^ k0) >>> 0;
    c1 = lowB;
    c2 = (highA ^ c3 ^ k1) >>> 0;
    c3 = lowA;
    k0 = (k0 + WEYL_A) >>> 0;
    k1 = (k1 + WEYL_B) >>> 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** Philox4x32-10: the four words of one block, from a counter of four words and a key of two, lowest first. */
export function philox4x32(counter: readonly number[], key: readonly number[]): number[] {
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
  const [k0 = 0, k1 = 0] = key;
  const out = new Uint32Array(4);
  philoxBlock(c0, c1, c2, c3, k0, k1, out);
  return [...out];
}

/** The state of a generator as plain JSON, for checkpoints and other threads. */
export interface PhiloxState {
  /** Seed, low word first. */
  key: [number, number];
  /** Stream, low word first. */
  stream: [number, number];
  /** Index of the next word; an integer below 2^53. */
  position: number;
}

const isWord = (value: unknown): value is number => Number.isInteger(value) && (value as number) >>> 0 === value;
const isWordPair = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every(isWord);

function checkState(state: PhiloxState): void {
  if (!isWordPair(state?.key) || !isWordPair(state.stream) || !Number.isSafeInteger(state.position)) {
    throw new Error(`Philox: expected a state {key, stream, position}, got ${JSON.stringify(state)}`);
  }
}

function splitSeed(seed: number | bigint): [number, number] {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new Error(`Philox: the seed must be an integer (a bigint beyond 2^53), got ${seed}`);
  }
  const bits = BigInt.asUintN(64, BigInt(seed));
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}

/** FNV-1a over the UTF-16 units of a label; two start values give two words. */
function hashLabel(label: string, start: number): number {
  let hash = start;
  for (let i = 0; i < label.length; i++) hash = imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** The words of a label. The third one separates text from numbers, so that fork('1') and fork(1) differ. */
function labelWords(label: string | number): [number, number, number] {
  if (typeof label === 'string') return [hashLabel(label, 0x811c9dc5), hashLabel(label, 0x2f0b4c47), 1];
  if (!Number.isSafeInteger(label)) throw new Error(`Philox.fork: a numeric label must be an integer, got ${label}`);
  const [low, high] = splitSeed(label);
  return [low, high, 0];
}

/**
 * A random number generator. The same seed and stream give the same numbers on every machine. `fork` returns independent
 * generators by name, so that for example the crop of clip 17 in epoch 3 does not depend on any other draw.
 */
export class Philox {
  private readonly key: [number, number];
  private readonly stream: [number, number];
  private position = 0;
  private readonly block = new Uint32Array(4);
  /** Number of the block held in `block`, or -1. */
  private held = -1;

  /** `seed`: any integer (64 bits are used); `stream`: an unsigned 32-bit number. */
  constructor(seed: number | bigint, stream = 0) {
    if (!isWord(stream)) throw new Error(`Philox: the stream must be an integer in 0..2^32-1, got ${stream}`);
    this.key = splitSeed(seed);
    this.stream = [stream, 0];
  }

  /** A generator that continues from a state returned by `state()`. */
  static restore(state: PhiloxState): Philox {
    checkState(state);
    const made = new Philox(0);
    made.key.splice(0, 2, ...state.key);
    made.stream.splice(0, 2, ...state.stream);
    made.position = state.position;
    return made;
  }

  /** A copy of the state as plain JSON. */
  state(): PhiloxState {
    return { key: [...this.key], stream: [...this.stream], position: this.position };
  }

  /** word(index), without advancing the generator: the word that a kernel draws. */
  wordAt(index: number): number {
    const number = floor(index / 4);
    if (number !== this.held) {
      const [s0, s1] = this.stream;
      philoxBlock(number >>> 0, floor(number / TWO_32), s0, s1, this.key[0], this.key[1], this.block);
      this.held = number;
    }
    return this.block[index % 4]!;
  }

  /** The next 32-bit word. */
  word(): number {
    return this.wordAt(this.position++);
  }

  /** The next number in [low, high): the next word as a multiple of 2^-32 in [0, 1), scaled. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.word() / TWO_32);
  }

  /** A normally distributed number (Box-Muller; consumes two words). */
  normal(mean = 0, std = 1): number {
    const radius = sqrt(-2 * log((this.word() + 1) / TWO_32));
    return mean + std * radius * cos(2 * PI * (this.word() / TWO_32));
  }

  /** A uniform integer in 0..n-1 (rejects words beyond the last full multiple of n). */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) throw new Error(`Philox.int: n must be in 1..2^32, got ${n}`);
    const limit = TWO_32 - (TWO_32 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** Shuffles `array` in place (Fisher-Yates) and returns it. */
  shuffle<A extends { length: number; [index: number]: unknown }>(array: A): A {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const kept = array[i];
      array[i] = array[j];
      array[j] = kept;
    }
    return array;
  }

  /** `count` random bytes: the bytes of the next whole blocks, low byte of a word first. The rest of the last block is discarded. */
  bytes(count: number): Uint8Array {
    const first = ceil(this.position / 4);
    const blocks = ceil(count / 16);
    const words = new Uint32Array(blocks * 4);
    const [k0, k1] = this.key;
    for (let i = 0; i < blocks; i++) {
      const number = first + i;
      const high = floor(number / TWO_32);
      philoxBlock(number >>> 0, high, this.stream[0], this.stream[1], k0, k1, words, i * 4);
    }
    this.position = (first + blocks) * 4;
    return new Uint8Array(words.buffer, 0, count);
  }

  /**
   * An independent generator identified by `label`. It depends on this generator's seed, stream and the label, not on the
   * position: `rng.fork('epoch').fork(3)` is the same at any time.
   */
  fork(label: string | number): Philox {
    const [low, high, kind] = labelWords(label);
    const words = new Uint32Array(4);
    const [s0, s1] = this.stream;
    philoxBlock(low, high, s0, s1, (this.key[0] ^ FORK_DOMAIN) >>> 0, (this.key[1] ^ kind) >>> 0, words);
    return Philox.restore({ key: [words[0]!, words[1]!], stream: [words[2]!, words[3]!], position: 0 });
  }
}
