'use strict';
/**
 * Calls raw kernels with random arguments: node kernels.cjs ADDON SEED CALLS. Prints { calls, ran, problems } as JSON. A call is
 * refused with an error that names the kernel, or runs; whatever happens, a buffer that no call has keeps its content.
 */
const path = require('node:path');
const { random } = require('./random.cjs');

const addon = require(path.resolve(process.argv[2]));
const [seed, limit] = process.argv.slice(3).map(Number);
const { pick, below, chance } = random(seed);
const BYTES = { f32: 4, i32: 4, bf16: 2, u8: 1 };
const kernels = Object.keys(addon.kernels);
const problems = [];
let [calls, ran] = [0, 0];

const witness = addon.bufferNew('u8', 'cpu', 4096);
addon.bufferWrite(witness, new Uint8Array(4096).fill(0x5a));
const made = [];

function buffer(dtype, length) {
  const handle = addon.bufferNew(dtype, 'cpu', length);
  const bytes = new Uint8Array(length * BYTES[dtype]);
  if (dtype === 'f32') new Float32Array(bytes.buffer).forEach((_, i, all) => (all[i] = pick(NUMBERS)));
  else if (chance(0.5)) bytes.forEach((_, i) => (bytes[i] = below(256)));
  addon.bufferWrite(handle, bytes);
  made.push(handle);
  return handle;
}

const NUMBERS = [0, 1, -1, 0.5, 3, -0, 1e-40, 3e38, NaN, Infinity];
const SIZES = [0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 8, 12, 16, 17, 33, 64];
const ODD = [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 52, 2 ** 60, null, undefined, 'x', {}, [], true];

function messageOf(kernel, args) {
  calls += 1;
  try {
    addon.kernels[kernel](...args);
    ran += 1;
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : `not an Error: ${String(error)}`;
  }
}

/** A value for the argument that the message of a refused call asks for; undefined if it would be too large. */
function valueFor(expected, used) {
  if (/integer|size/.test(expected)) return pick(SIZES);
  if (expected === 'a number') return pick(NUMBERS);
  if (expected === 'true or false') return chance(0.5);
  const list = /^an array of (\d+ )?buffers$/.exec(expected);
  if (list) return Array.from({ length: 1 + below(3) }, () => buffer('f32', pick(SIZES)));
  const [, length, dtype] = /^(\d+) x (\w+)$/.exec(expected) ?? [];
  if (dtype === undefined || Number(length) > 1 << 16) return undefined;
  const same = used.filter((one) => one.dtype === dtype && one.length === Number(length));
  const value = same.length > 0 && chance(0.1) ? pick(same).value : buffer(dtype, Number(length));
  used.push({ dtype, length: Number(length), value });
  return value;
}

/** Finds arguments one after the other from the messages, then calls the kernel with them, or with some of them spoilt. */
function attempt(kernel) {
  const [args, used] = [[], []];
  for (let message; ;) {
    message = messageOf(kernel, [...args, undefined]);
    const [, , expected, got] = /^(\w+): argument \w+: expected (.+), got (.+)$/.exec(message ?? '') ?? [];
    if (got !== 'undefined') break;
    const value = valueFor(expected, used);
    if (value === undefined) return;
    args.push(value);
  }
  if (chance(0.4) && args.length > 0) args[below(args.length)] = chance(0.5) ? pick(ODD) : pick(made);
  const message = messageOf(kernel, args);
  if (message !== null && !message.startsWith(`${kernel}: `)) problems.push(`${kernel}: ${message}`);
}

while (calls < limit && problems.length < 20) {
  attempt(pick(kernels));
  made.splice(0).forEach((handle) => addon.bufferFree(handle));
  const seen = new Uint8Array(4096);
  if (calls % 64 < 8) addon.bufferRead(witness, seen);
  else seen.fill(0x5a);
  if (seen.some((byte) => byte !== 0x5a)) problems.push('a buffer that no call had was written');
}
console.log(JSON.stringify({ calls, ran, problems }));
