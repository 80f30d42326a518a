'use strict';
// Calls kernels of the addon with invalid arguments, in a child process because a faulty binding may crash:
//   node probe.cjs ADDON PROBE
// prints { kernels, calls, ran, problems } as JSON: kernel names, number of calls, number of accepted calls, and the calls with an
// unexpected result.
const path = require('node:path');

const addon = require(path.resolve(process.argv[2]));
const probes = {};
const problems = [];
let [calls, ran] = [0, 0];

const BYTES = { f32: 4, i32: 4, bf16: 2, u8: 1 };

function buffer(length = 1, dtype = 'f32') {
  const made = addon.bufferNew(dtype, 'cpu', length);
  addon.bufferWrite(made, new Uint8Array(length * BYTES[dtype]));
  return made;
}
const freed = buffer();
addon.bufferFree(freed);
// An External that is not of this addon: the native side of a stream.
const foreign = require('node:net').createServer().listen(0).unref()._handle._externalStream;

/** Error message of a call, or null if it succeeds. */
function messageOf(kernel, args) {
  calls += 1;
  try {
    addon.kernels[kernel](...args);
    ran += 1;
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : `not an Error: ${error}`;
  }
}

const show = (value) =>
  typeof value === 'object' && value !== null
    ? Array.isArray(value)
      ? `[${value.map(show)}]`
      : 'object'
    : String(value);

function expectMessage(kernel, args, what, pattern) {
  const message = messageOf(kernel, args);
  if (message !== null && message.startsWith(`${kernel}: `) && pattern.test(message)) return;
  problems.push(`${kernel}(${args.map(show)}), ${what}: ${message ?? 'accepted'}`);
}

const REFUSED = /^\w+: argument (\w+): expected (.+), got (.+)$/;

/** { kind, value } for an expectation in an error message; null if a buffer of more than `most` elements is needed. */
function wanted(name, expected, sizeOf, most) {
  if (/integer|size/.test(expected)) return { kind: 'size', value: sizeOf(name) };
  if (expected === 'a number') return { kind: 'number', value: 0.5 };
  if (expected === 'true or false') return { kind: 'flag', value: false };
  if (expected === 'an array of buffers') return { kind: 'list', value: [buffer()] };
  if (/^an array of \d+ buffers$/.test(expected)) return { kind: 'list', value: [buffer()] };
  const [, length, dtype] = /^(\d+) x (\w+)$/.exec(expected);
  return Number(length) > most
    ? null
    : { kind: 'buffer', dtype, length: Number(length), value: buffer(Number(length), dtype) };
}

/**
 * Finds valid arguments of a kernel from its error messages, each of which names the next missing argument. Returns { found }
 * with names and kinds, or { refusal } if sizes are inconsistent or a buffer would be too large.
 */
function solve(kernel, sizeOf, most = 4096) {
  const found = [];
  for (;;) {
    const message = messageOf(kernel, [...found.map((a) => a.value), undefined]);
    if (/expected \d+ arguments, got \d+$/.test(message)) return { found };
    const [, name, expected, got] = REFUSED.exec(message) ?? [];
    if (got !== 'undefined') return { refusal: message };
    const argument = wanted(name, expected, sizeOf, most);
    if (!argument) return { refusal: 'a buffer too large to try' };
    found.push({ name, ...argument });
  }
}

// The same size for every argument but offsets: that of random numbers is a multiple of 4, those into buffers are below their
// lengths.
const sized = (size) => (name) => (name === 'offset' ? 4 : name.startsWith('offset_') ? 0 : size);
const ONE = sized(1);
const valid = (kernel) => solve(kernel, ONE).found;
const kernels = Object.keys(addon.kernels);

// Every kernel runs with sizes of 1 and refuses one additional argument and any smaller number of arguments.
probes.arguments = () => {
  for (const kernel of kernels) {
    const { found, refusal } = solve(kernel, ONE);
    if (!found) problems.push(`${kernel}: no arguments found: ${refusal}`);
    const values = (found ?? []).map((a) => a.value);
    const message = messageOf(kernel, values);
    if (message !== null) problems.push(`${kernel}(${values.map(show)}): ${message}`);
    for (let n = 0; n < values.length; n++)
      expectMessage(
        kernel,
        values.slice(0, n),
        `${n} arguments`,
        /argument \w+: expected a value, got nothing: too few/,
      );
    expectMessage(kernel, [...values, null], 'one more', /: expected \d+ arguments, got \d+$/);
  }
};

const HALF = buffer(1, 'bf16');
const BYTE = buffer(1, 'u8');
const refusalOf = (name) => new RegExp(`argument ${name}: expected .+, got .+`);
// With one bf16 activation a kernel expects all of them in bf16: these have only this one, so that it is valid.
const ONLY_ACTIVATION = {
  mean_pool_forward: 'x',
  mean_pool_backward: 'dx',
  non_finite_count: 'x',
  norm_spatial_pool: 'x',
};
const ANYWHERE = [undefined, 'x', {}, Symbol.iterator, 1n, () => 1, foreign];
const WRONG = {
  size: [...ANYWHERE, null, NaN, 1.5, Infinity, -Infinity, 2 ** 53 + 2, true, [], buffer()],
  number: [...ANYWHERE, null, NaN, true, [], buffer()],
  flag: [...ANYWHERE, null, 0, 1, [], buffer()],
  buffer: [...ANYWHERE, 0, true, [], freed, [buffer()], buffer(0), buffer(2), BYTE, HALF],
  list: [...ANYWHERE, null, 0, buffer(), [undefined], [null], [{}], [freed], [foreign], [buffer(1, 'i32')]],
};

// Replaces every argument of every kernel in turn by one of another type.
probes.types = () => {
  for (const kernel of kernels) {
    const found = valid(kernel) ?? [];
    found.forEach(({ name, kind, dtype }, i) => {
      const allowed = [
        ...(dtype === 'bf16' || ONLY_ACTIVATION[kernel] === name ? [HALF] : []),
        ...(dtype === 'u8' ? [BYTE] : []),
      ];
      for (const other of WRONG[kind].filter((other) => !allowed.includes(other))) {
        const args = found.map((a, j) => (i === j ? other : a.value));
        expectMessage(kernel, args, `${name} is ${show(other)}`, refusalOf(other === HALF ? '\\w+' : name));
      }
    });
  }
};

const FREE = /^(seed|step|offset|stride_[abxy]|kept_stride|reduced_stride)$/; // not sizes of buffers, so any number is valid

// Makes every size in turn negative or huge, so that no buffer fits.
probes.sizes = () => {
  for (const kernel of kernels) {
    const found = valid(kernel) ?? [];
    found.forEach(({ name, kind }, i) => {
      for (const size of kind === 'size' ? [-1, -(2 ** 53), 2 ** 31, 2 ** 32, 2 ** 53] : []) {
        const args = found.map((a, j) => (i === j ? size : a.value));
        if (size < 0 || !FREE.test(name)) expectMessage(kernel, args, `${name} is ${size}`, /./);
        else messageOf(kernel, args);
      }
    });
    for (const size of [2 ** 31, 2 ** 53, NaN, -1]) {
      const args = found.map((a) => (a.kind === 'size' ? size : a.value));
      if (found.some((a) => a.kind === 'size' && !FREE.test(a.name)))
        expectMessage(kernel, args, `sizes are ${size}`, /./);
    }
  }
};

/** Deterministic pseudorandom integers from 0 to n - 1. */
function sequence() {
  let state = 1;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
}

// Random sizes, including 0 and huge ones, with matching buffers: the call is refused or runs.
probes.combinations = () => {
  const next = sequence();
  const sizes = [0, 0, 0, ...Array(8).fill(1), 2, 3, 2 ** 20, 2 ** 31, 2 ** 52];
  for (const kernel of kernels) {
    for (let i = 0; i < 150; i++) {
      const chosen = [];
      const { found, refusal } = solve(kernel, () => chosen[chosen.push(sizes[next(sizes.length)]) - 1]);
      if (!found && !refusal.startsWith(`${kernel}: `) && refusal !== 'a buffer too large to try')
        problems.push(`${kernel}, sizes ${chosen}: ${refusal}`);
      if (!found) continue;
      const message = messageOf(
        kernel,
        found.map((a) => a.value),
      );
      if (message !== null) problems.push(`${kernel}, sizes ${chosen}: ${message}`);
      for (const a of found) [a.value].flat().forEach((b) => a.kind === 'buffer' && addon.bufferFree(b));
    }
  }
};

const read = (handle, { dtype, length }) => {
  const bytes = new Uint8Array(length * BYTES[dtype]);
  addon.bufferRead(handle, bytes);
  return Buffer.from(bytes).toString('latin1');
};

/** The places of all buffers in a kernel's arguments, items of lists included. */
function places(found) {
  const lists = found.flatMap(({ kind, value }, i) =>
    kind === 'list' ? value.map((_, j) => ({ i, j, dtype: 'f32', length: 1 })) : [],
  );
  const single = found.flatMap(({ kind, dtype, length }, i) => (kind === 'buffer' ? [{ i, dtype, length }] : []));
  return [...single, ...lists];
}

/** Fresh arguments with small numbers in their buffers; `shared`, two places, get one buffer. Calls the kernel. */
function callWith(kernel, found, all, shared) {
  const args = found.map(({ kind, value }) => (kind === 'list' ? [...value] : value));
  const put = ({ i, j }, handle) => (j === undefined ? (args[i] = handle) : (args[i][j] = handle));
  const handles = all.map((place) => {
    const values = place.dtype === 'f32' ? Float32Array : place.dtype === 'i32' ? Int32Array : Uint8Array;
    const handle = buffer(place.length, place.dtype);
    if (place.dtype !== 'bf16') addon.bufferWrite(handle, new values(place.length).fill(1));
    put(place, handle);
    return handle;
  });
  if (shared) {
    put(shared[1], handles[all.indexOf(shared[0])]);
    handles[all.indexOf(shared[1])] = handles[all.indexOf(shared[0])];
  }
  const message = messageOf(kernel, args);
  const after = all.map((place, i) => read(handles[i], place));
  for (const handle of handles) addon.bufferFree(handle);
  return { message, after };
}

// One buffer for two arguments: refused, or the same results as with two buffers of the same contents.
probes.aliasing = () => {
  let accepted = 0;
  for (const kernel of kernels) {
    const { found } = solve(kernel, sized(2), 1 << 16);
    if (!found) continue;
    const all = places(found);
    const apart = callWith(kernel, found, all);
    for (const [n, first] of all.entries())
      for (const second of all.slice(n + 1)) {
        if (first.dtype !== second.dtype || first.length !== second.length) continue;
        const { message, after } = callWith(kernel, found, all, [first, second]);
        const pair = `${kernel}, one buffer for ${found[first.i].name} and ${found[second.i].name}`;
        if (message === null) accepted += 1;
        if (
          message === null
            ? String(after) !== String(apart.after)
            : !/which is written, overlaps argument/.test(message)
        )
          problems.push(`${pair}: ${message ?? 'another result'}`);
      }
  }
  if (accepted < kernels.length) problems.push(`${accepted} pairs accepted: two inputs may be one`);
};

// A getter in a list frees the buffer that was read before.
probes.getters = () => {
  for (let i = 0; i < 3; i++) {
    const [first, second] = [buffer(1 << 23), buffer(1)]; // memory of this size is returned to the system immediately
    let reads = 0;
    const list = [first, second];
    Object.defineProperty(list, 1, {
      get: () => {
        if (++reads === 2) {
          addon.bufferFree(first);
          addon.memoryReleaseCache();
        }
        return second;
      },
    });
    const message = messageOf('grad_norm_scale', [0.5, list, null]);
    if (message !== null || reads !== 2) problems.push(`grad_norm_scale: ${message}, ${reads} reads`);
  }
};

probes[process.argv[3]]();
console.log(JSON.stringify({ kernels, calls, ran, problems }));
