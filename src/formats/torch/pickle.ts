/**
 * A pickle reader that builds inert data and executes no code: a stack machine for the opcodes that PyTorch writes (protocols 2 to
 * 5). Globals are checked against the allowlist in `globals.ts`; objects of other classes become placeholders.
 */
import {
  FormatError,
  NotRead,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleTuple,
  describe,
} from './values';
import type { PickleValue } from './values';

/**
 * Callbacks of the machine. They throw {@link NotRead} for an object that becomes a placeholder and another {@link FormatError} to
 * abort.
 */
export interface PickleHost {
  /** The value of `callable(*args)`. */
  call(callable: PickleGlobal, args: PickleTuple): PickleValue;
  /** Called for every global of the pickle, before it is created. */
  requireKnown(name: string): void;
  /** The object behind a persistent id; PyTorch uses them for storages. */
  persistent(id: PickleValue): PickleValue;
}

/** Maximum size of a pickle in bytes; that of a model with a billion parameters is below 1 MiB. */
export const PICKLE_LIMIT = 64 << 20;

/** Maximum number of opcodes, which bounds the memory that a hostile pickle can allocate. */
const OPCODE_LIMIT = 2_000_000;

type Opcode = (machine: Machine) => void;

class Machine {
  readonly stack: PickleValue[] = [];
  readonly marks: number[] = [];
  readonly memo = new Map<number, PickleValue>();
  private opcodeAt = 0;

  constructor(
    readonly bytes: Buffer,
    public at: number,
    readonly host: PickleHost,
    private readonly what: string,
  ) {}

  run(): PickleValue {
    for (let count = 0; count < OPCODE_LIMIT; count++) {
      this.opcodeAt = this.at;
      const code = this.u8();
      if (code === STOP) return this.result();
      const opcode = OPCODES.get(code);
      if (!opcode) this.fail(`opcode 0x${code.toString(16)}${NAMES.get(code) ?? ''} is not one that PyTorch writes`);
      opcode(this);
    }
    return this.fail(`more than ${OPCODE_LIMIT} opcodes`);
  }

  /** Position of the current opcode, for error messages. */
  get where(): string {
    return `${this.what}, byte ${this.opcodeAt}`;
  }

  fail(message: string): never {
    throw new FormatError(`${this.where}: ${message}`);
  }

  private result(): PickleValue {
    if (this.stack.length !== 1 || this.marks.length > 0)
      this.fail(`${this.stack.length} values at the end, expected 1`);
    return this.stack[0] as PickleValue;
  }

  take(count: number): Buffer {
    if (count > this.bytes.length - this.at) this.fail(`needs ${count} bytes, ${this.bytes.length - this.at} are left`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  u64(): number {
    const n = this.take(8).readBigUInt64LE();
    return n > BigInt(Number.MAX_SAFE_INTEGER) ? this.fail(`length ${n} is beyond 2^53`) : Number(n);
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0 || end - this.at > 500) this.fail('expected a name of at most 500 bytes and a line end');
    const text = this.utf8(end - this.at);
    this.at++;
    return text;
  }

  utf8(length: number): string {
    return this.take(length).toString('utf8');
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.fail('takes a value from an empty stack');
    return this.stack.pop() as PickleValue;
  }

  /** Pops the values since the last mark, and the mark. */
  popMark(): PickleValue[] {
    const mark = this.marks.pop();
    return mark === undefined ? this.fail('has no mark before it') : this.stack.splice(mark);
  }

  peek(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  tuple(size: number): void {
    const items = Array.from({ length: size }, () => this.pop());
    this.push(new PickleTuple(items.reverse()));
  }

  setItems(pairs: PickleValue[]): void {
    const dict = this.peek();
    if (!(dict instanceof PickleDict)) return this.fail(`sets an item of ${describe(dict)}, expected a dict`);
    if (pairs.length % 2) this.fail('has a key without a value');
    for (let i = 0; i < pairs.length; i += 2) dict.entries.set(pairs[i] as PickleValue, pairs[i + 1] as PickleValue);
  }

  append(items: PickleValue[]): void {
    const list = this.peek();
    if (list instanceof PickleObject) return;
    if (!(list instanceof PickleList)) return this.fail(`appends to ${describe(list)}, expected a list`);
    for (const item of items) list.items.push(item);
  }

  integer(length: number): void {
    if (length > 255) this.fail(`an integer of ${length} bytes, expected at most 255`);
    const bytes = Buffer.from(this.take(length)).reverse();
    const value = length ? BigInt.asIntN(length * 8, BigInt(`0x${bytes.toString('hex')}`)) : 0n;
    const small = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    this.push(small ? Number(value) : value);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    this.push(value === undefined ? this.fail(`memo ${index} is not set`) : value);
  }

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      return this.fail(`a global called ${describe(module)}.${describe(name)}, expected two texts`);
    const full = `${module}.${name}`;
    const known = this.attempt(() => {
      this.host.requireKnown(full);
      return new PickleGlobal(full);
    });
    this.push(known instanceof PickleObject ? new PickleGlobal(full, known.reason) : known);
  }

  call(): void {
    const args = this.pop();
    const callable = this.pop();
    if (callable instanceof PickleObject) return this.push(new PickleObject(callable.reason));
    if (!(callable instanceof PickleGlobal)) return this.fail(`calls ${describe(callable)}, expected a global`);
    if (!(args instanceof PickleTuple)) return this.fail(`calls ${callable.name} with ${describe(args)}, not a tuple`);
    const { refusal } = callable;
    this.push(refusal === undefined ? this.attempt(() => this.host.call(callable, args)) : new PickleObject(refusal));
  }

  persistent(): void {
    const id = this.pop();
    this.push(this.attempt(() => this.host.persistent(id)));
  }

  /** Sets attributes: a Namespace keeps them as entries; those of other objects (`_metadata`) are discarded. */
  build(): void {
    const state = this.pop();
    const target = this.peek();
    if (target instanceof PickleObject) return;
    if (!(target instanceof PickleDict)) {
      if (typeof target === 'object' && target !== null) return;
      this.fail(`sets attributes of ${describe(target)}`);
    }
    if (!(state instanceof PickleDict)) return this.fail(`sets attributes from ${describe(state)}, expected a dict`);
    if (target.isNamespace) for (const [key, value] of state.entries) target.entries.set(key, value);
  }

  /** Runs a callback: prepends the position to its errors, and returns a placeholder for {@link NotRead}. */
  attempt<T>(action: () => T): T | PickleObject {
    try {
      return action();
    } catch (error) {
      if (error instanceof NotRead) return new PickleObject(`${this.where}: ${error.message}`);
      if (error instanceof FormatError) this.fail(error.message);
      throw error;
    }
  }
}

const STOP = 0x2e;

/** Opcodes by their byte. Unicode and byte strings are limited by the pickle's own size. */
const OPCODES = new Map<number, Opcode>([
  [0x80, (m) => void (m.u8() > 5 && m.fail('a protocol above 5'))],
  [0x95, (m) => void m.u64()], // FRAME: only a hint for reading ahead
  [0x28, (m) => void m.marks.push(m.stack.length)], // MARK
  [0x30, (m) => void m.pop()], // POP
  [0x31, (m) => void m.popMark()], // POP_MARK
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4b, (m) => m.push(m.u8())], // BININT1
  [0x4d, (m) => m.push(m.take(2).readUInt16LE())], // BININT2
  [0x4a, (m) => m.push(m.take(4).readInt32LE())], // BININT
  [0x8a, (m) => m.integer(m.u8())], // LONG1
  [0x8b, (m) => m.integer(m.u32())], // LONG4
  [0x47, (m) => m.push(m.take(8).readDoubleBE())], // BINFLOAT
  [0x8c, (m) => m.push(m.utf8(m.u8()))], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.utf8(m.u32()))], // BINUNICODE
  [0x8d, (m) => m.push(m.utf8(m.u64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.utf8(m.u8()))], // SHORT_BINSTRING: text, as Python 2 wrote it
  [0x54, (m) => m.push(m.utf8(m.u32()))], // BINSTRING
  [0x43, (m) => m.push(m.take(m.u8()))], // SHORT_BINBYTES
  [0x96, (m) => m.push(m.take(m.u64()))], // BYTEARRAY8
  [0x42, (m) => m.push(m.take(m.u32()))], // BINBYTES
  [0x8e, (m) => m.push(m.take(m.u64()))], // BINBYTES8
  [0x29, (m) => m.push(new PickleTuple([]))], // EMPTY_TUPLE
  [0x85, (m) => m.tuple(1)],
  [0x86, (m) => m.tuple(2)],
  [0x87, (m) => m.tuple(3)],
  [0x74, (m) => m.push(new PickleTuple(m.popMark()))], // TUPLE
  [0x5d, (m) => m.push(new PickleList())], // EMPTY_LIST
  [0x8f, (m) => m.push(new PickleList())], // EMPTY_SET
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popMark())], // APPENDS
  [0x90, (m) => m.append(m.popMark())], // ADDITEMS
  [0x91, (m) => m.push(new PickleTuple(m.popMark()))], // FROZENSET
  [0x7d, (m) => m.push(new PickleDict())], // EMPTY_DICT
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
  [0x71, (m) => void m.memo.set(m.u8(), m.peek())], // BINPUT
  [0x72, (m) => void m.memo.set(m.u32(), m.peek())], // LONG_BINPUT
  [0x94, (m) => void m.memo.set(m.memo.size, m.peek())], // MEMOIZE
  [0x68, (m) => m.get(m.u8())], // BINGET
  [0x6a, (m) => m.get(m.u32())], // LONG_BINGET
  [0x63, (m) => m.global(m.line(), m.line())], // GLOBAL
  [0x93, (m) => m.global(...([m.pop(), m.pop()].reverse() as [PickleValue, PickleValue]))], // STACK_GLOBAL
  [0x52, (m) => m.call()], // REDUCE
  [0x81, (m) => m.call()], // NEWOBJ: cls.__new__(cls, *args)
  [0x92, (m) => (m.pop(), m.call())], // NEWOBJ_EX: the same with keywords
  [0x62, (m) => m.build()], // BUILD
  [0x51, (m) => m.persistent()], // BINPERSID
]);

/** Names of unsupported opcodes, for error messages. */
const NAMES = new Map<number, string>(
  Object.entries({ i: 'INST', o: 'OBJ', P: 'PERSID', I: 'INT', L: 'LONG', F: 'FLOAT', S: 'STRING', V: 'UNICODE' }).map(
    ([letter, name]) => [letter.charCodeAt(0), ` (${name})`],
  ),
);

/**
 * Reads the pickle that starts at byte `start`.
 * @param what names the pickle in errors
 * @returns the value and the position after it
 * @throws FormatError with the byte position, on anything that PyTorch does not write
 */
export function unpickle(
  bytes: Buffer,
  start: number,
  host: PickleHost,
  what: string,
): { value: PickleValue; end: number } {
  const machine = new Machine(bytes, start, host, what);
  const value = machine.run();
  return { value, end: machine.at };
}
