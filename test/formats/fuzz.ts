/**
 * Fuzzing by mutations of valid files: a reader must return a result or throw one clear sentence. All randomness follows from the
 * seed, so that a failure can be reproduced from its number.
 */
import { crc32 } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemorySource } from '../../src/formats/file';
import { loadPyTorchFrom } from '../../src/formats/torch/index';
import { fnv1a32 } from '../../src/formats/reference';
import { archive, zip } from './torch/pytorch_files';
import type { ZipEntry } from './torch/pytorch_files';

/** A small repeatable generator: whole numbers below a bound. */
export class Dice {
  private state: number;

  constructor(seed: string) {
    this.state = fnv1a32(seed);
  }

  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  }

  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)] as T;
  }
}

const OPCODES = Buffer.from([
  ...Buffer.from('.(0123NKMJGXUTCB)t]ael}suqrjhbRcQ'),
  ...Array.from({ length: 24 }, (_, i) => 0x80 + i),
]);
const LENGTHS = [0, 1, 7, 8, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

type Mutation = (bytes: Buffer, at: number, dice: Dice) => Buffer;

const MUTATIONS: Mutation[] = [
  (bytes, at, dice) => (bytes.writeUInt8(dice.below(256), at), bytes),
  (bytes, at, dice) => (bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at), bytes),
  (bytes, at, dice) => (bytes.writeUInt8(dice.pick(OPCODES), at), bytes),
  (bytes, at, dice) => Buffer.concat([bytes.subarray(0, at), Buffer.from([dice.pick(OPCODES)]), bytes.subarray(at)]),
  (bytes, at, dice) => (at + 4 <= bytes.length && bytes.writeUInt32LE(dice.pick(LENGTHS), at), bytes),
  (bytes, at, dice) => (at + 2 <= bytes.length && bytes.writeUInt16LE(dice.pick(LENGTHS) & 0xffff, at), bytes),
  (bytes, at, dice) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(16))]),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, dice) => {
    const part = bytes.subarray(at, at + 1 + dice.below(64));
    const to = dice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, to), part, bytes.subarray(to)]);
  },
];

/** A copy of `bytes` with one to four changes. */
export function mutate(bytes: Buffer, dice: Dice): Buffer {
  let changed = Buffer.from(bytes);
  for (let n = 1 + dice.below(4); n > 0 && changed.length > 0; n--)
    changed = dice.pick(MUTATIONS)(changed, dice.below(changed.length), dice) as typeof changed;
  return changed;
}

const fixtures = join(__dirname, '..', 'fixtures');
const read = (...path: string[]) => readFileSync(join(fixtures, ...path));

/** The entries of an archive in the order of the file; enough of a reader for files that are known to be good. */
function entriesOf(bytes: Buffer): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = bytes.readUInt32LE(bytes.length - 6);
  if (at === 0xffffffff) at = Number(bytes.readBigUInt64LE(bytes.length - 42 - 56 + 48));
  for (; bytes.readUInt32LE(at) === 0x02014b50;) {
    const [size, offset] = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 42)];
    const start = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    entries.push({ name, data: bytes.subarray(start, start + size) });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}

/** Changes only the pickle, with a matching checksum: the mutation gets past the archive. */
function mutatePickle(bytes: Buffer, dice: Dice): Buffer {
  const entries = entriesOf(bytes).map((entry) => {
    if (!entry.name.toString().endsWith('data.pkl')) return entry;
    const data = mutate(entry.data, dice);
    return { ...entry, data, crc: crc32(data) };
  });
  return zip(entries, { zip64: dice.below(2) === 0 });
}

/** A pickle of opcodes drawn at random, with a few that need operands. */
function randomPickle(_bytes: Buffer, dice: Dice): Buffer {
  const opcodes = Array.from({ length: 1 + dice.below(60) }, () => dice.pick(OPCODES));
  return zip(archive(Buffer.from([0x80, 2, ...opcodes, 0x2e])));
}

const ZIPS = [
  read('reference', 'checkpoints', 'dtypes_and_views.pth'),
  read('reference', 'checkpoints', 'hostile_os_system.pth'),
  read('pytorch', 'ddp_namespace_numpy.pth'),
  read('pytorch', 'protocol4.pth'),
];
const LEGACY = read('pytorch', 'views_legacy.pth');

/** Every kind of mutation, with the files that it starts from. */
const KINDS: [name: string, files: Buffer[], make: (bytes: Buffer, dice: Dice) => Buffer][] = [
  ['whole zip archive', ZIPS, mutate],
  ['pickle in an archive', ZIPS, mutatePickle],
  ['legacy file', [LEGACY], mutate],
  ['random opcodes', ZIPS, randomPickle],
];

/** Result of a run: how many mutations loaded and were refused, the slowest in ms, and the growth of memory in bytes. */
export interface FuzzResult {
  loaded: number;
  refused: number;
  slowest: number;
  memory: number;
}

/** One mutation. Throws where the reader throws anything but its own sentence, or gives malformed tensors. */
function tryOne(seed: string, index: number): boolean {
  const dice = new Dice(`${seed}/${index}`);
  const [, files, make] = KINDS[index % KINDS.length] as (typeof KINDS)[number];
  const bytes = make(dice.pick(files), dice);
  try {
    const { tensors } = loadPyTorchFrom(new MemorySource('fuzz.pth', bytes));
    for (const { shape, data } of tensors.values())
      if (data.length !== shape.reduce((a, b) => a * b, 1))
        throw new TypeError(`shape [${shape}], ${data.length} elements`);
    return true;
  } catch (error) {
    const { message, constructor, stack } = error as Error;
    if (constructor === Error && message.startsWith('fuzz.pth: ') && message.length < 1000) return false;
    throw new Error(`mutation ${index} of seed ${seed}: ${stack}`, { cause: error });
  }
}

/** Runs mutations `0 … count - 1` of a seed. */
export function fuzzPyTorch(seed: string, count: number): FuzzResult {
  const result = { loaded: 0, refused: 0, slowest: 0, memory: 0 };
  const before = process.memoryUsage().rss;
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    if (tryOne(seed, index)) result.loaded++;
    else result.refused++;
    result.slowest = Math.max(result.slowest, performance.now() - start);
    if (index % 64 === 0) result.memory = Math.max(result.memory, process.memoryUsage().rss - before);
  }
  return result;
}
