'use strict';
/**
 * Calls raw kernels with random arguments: node kernels.cjs ADDON SEED CALLS [--each]. Prints { calls, ran, problems } as JSON, and with
 * --each the calls and those that ran of each kernel. A call is refused with an error that names the kernel, or runs; whatever happens,
 * a buffer that no call has keeps its content. The probes that ask for the next argument are not counted.
 */
const path = require('node:path');
const { random } = require('./random.cjs');

const addon = require(path.resolve(process.argv[2]));
const [seed, limit] = process.argv.slice(3, 5).map(Number);
const { pick, below, chance } = random(seed);
const BYTES = { f32: 4, i32: 4, bf16: 2, u8: 1 };
const kernels = Object.keys(addon.kernels);
const each = Object.fromEntries(kernels.map((kernel) => [kernel, { calls: 0, ran: 0 }]));
Error.stackTraceLimit = 0; // thousands of errors a second
const problems = [];
let [calls, ran] = [0, 0];

const witness = addon.bufferNew('u8', 'cpu', 4096);
addon.bufferWrite(witness, new Uint8Array(4096).fill(0x5a));
const made = [];

const NUMBERS = [0, 1, -1, 0.5, 3, -0, 1e-40, 3e38, NaN, Infinity];
const SIZES = [0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 8, 12, 16, 17, 33, 64];
const ODD = [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 52, 2 ** 60, null, undefined, 'x', {}, [], true];
/** A buffer of more elements is not made: the sizes are drawn again. */
const MOST = 1 << 14;
/** How often the sizes of a call are drawn again that contradict each other. */
const DRAWS = 12;

/** Contents of buffers: each starts at a random place. */
const floats = Float32Array.from({ length: 2 * MOST }, () => pick(NUMBERS));
const indices = Int32Array.from({ length: 2 * MOST }, () => below(3));
const bytes = Uint8Array.from({ length: 8 * MOST }, () => below(256));

function contents(dtype, length) {
  const from = below(MOST);
  if (dtype === 'f32') return floats.slice(from, from + length);
  if (dtype === 'i32' && chance(0.8)) return indices.slice(from, from + length);
  return chance(0.5) ? bytes.slice(from, from + length * BYTES[dtype]) : new Uint8Array(length * BYTES[dtype]);
}

function buffer(dtype, length) {
  const handle = addon.bufferNew(dtype, 'cpu', length);
  const { buffer } = contents(dtype, length);
  addon.bufferWrite(handle, new Uint8Array(buffer));
  made.push(handle);
  return handle;
}

/** The message of a refused call; null if it ran. */
function messageOf(kernel, args) {
  try {
    addon.kernels[kernel](...args);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : `not an Error: ${String(error)}`;
  }
}

/** What a call takes as random values: sizes that agree often, or anything. */
function context() {
  const wild = chance(0.3);
  const sizes = wild ? SIZES : [1, pick(SIZES), pick(SIZES)];
  const lengths = Array.from({ length: 1 + below(3) }, () => pick(sizes));
  return { wild, sizes, lengths, used: [], bf16: chance(0.2) };
}

/** A buffer: sometimes null, of another element type, or one that the call has already. */
function bufferFor(dtype, length, { used, bf16 }, plain) {
  if (!plain && chance(0.1)) return null;
  const type = !plain && bf16 && dtype === 'f32' ? 'bf16' : dtype;
  const same = used.filter((one) => one.type === type && one.length === length);
  const value = same.length > 0 && chance(0.02) ? pick(same).value : buffer(type, length);
  used.push({ type, length, value });
  return value;
}

/** A value for the argument that a message asks for, with `plain` exactly that; undefined if it would be too large. */
function valueFor(expected, from, plain) {
  if (/integer|size/.test(expected)) return pick(from.sizes);
  if (expected === 'a number') return from.wild ? pick(NUMBERS) : pick([1e-5, 0.5, 1]);
  if (expected === 'true or false') return chance(0.5);
  if (/^an array of (\d+ )?buffers$/.test(expected)) {
    const lengths = from.wild && chance(0.2) ? [pick(SIZES)] : from.lengths;
    return lengths.map((length) => buffer('f32', length));
  }
  const [, length, dtype] = /^(\d+) x (\w+)$/.exec(expected) ?? [];
  return dtype === undefined || Number(length) > MOST ? undefined : bufferFor(dtype, Number(length), from, plain);
}

/** Arguments that the messages ask for, one after the other; null where the sizes contradict each other. */
function draw(kernel) {
  const from = context();
  let repaired = -1;
  for (const args = []; ;) {
    const message = messageOf(kernel, [...args, undefined]);
    const [, expected, got] = /^\w+: argument \w+: expected (.+), got (.+)$/.exec(message ?? '') ?? [];
    if (expected === undefined) return /expected \d+ arguments/.test(message) ? args : null;
    const plain = got !== 'undefined';
    if (plain && repaired === args.length) return null;
    if (plain) repaired = args.length;
    if (plain) args.pop();
    const value = valueFor(expected, from, plain);
    if (value === undefined) return null;
    args.push(value);
  }
}

/** Calls a kernel with arguments that agree, or with one of them spoilt. */
function attempt(kernel) {
  let args = null;
  for (let n = 0; args === null && n < DRAWS; n++) args = draw(kernel);
  if (args === null) return;
  if (chance(0.4) && args.length > 0) args[below(args.length)] = chance(0.5) ? pick(ODD) : pick(made);
  const message = messageOf(kernel, args);
  calls += 1;
  each[kernel].calls += 1;
  ran += message === null ? 1 : 0;
  each[kernel].ran += message === null ? 1 : 0;
  if (message !== null && !message.startsWith(`${kernel}: `)) problems.push(`${kernel}: ${message}`);
}
while (calls < limit && problems.length < 20) {
  attempt(pick(kernels));
  made.splice(0).forEach((handle) => addon.bufferFree(handle));
  const seen = new Uint8Array(4096);
  if (calls % 8 === 0) addon.bufferRead(witness, seen);
  else seen.fill(0x5a);
  if (seen.some((byte) => byte !== 0x5a)) problems.push('a buffer that no call had was written');
}
console.log(JSON.stringify({ calls, ran, problems, ...(process.argv.includes('--each') ? { each } : {}) }));
