'use strict';
// Scenarios of worker threads that use the addon:
//   node workers_child.cjs SCENARIO
// Prints one line of JSON per result, if any; the tests also check exit code and signal.
const { createHash } = require('node:crypto');
const path = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const LIBRARY = path.join(__dirname, '..', '..', 'dist');
const SIZES = { rows: 300, inner: 96, outer: 70 };

/** Deterministic numbers in [-1, 1). */
function numbers(n, seed) {
  return Float32Array.from(
    { length: n },
    (_, i) => ((Math.imul(i + 1, 2654435761) ^ Math.imul(seed, 40503)) >>> 8) / 2 ** 23 - 1,
  );
}

/** FC, GELU, FC and mean with all gradients: { first, digest } with the output of the first FC and a digest of all results. */
function compute() {
  const { add, backward, linear, mean, mul, noGrad, scope, tensor } = require(LIBRARY);
  const { rows, inner, outer } = SIZES;
  return scope(() => {
    const make = (n, seed, shape) => tensor(numbers(n, seed), shape, { requiresGrad: true });
    const x = make(rows * inner, 1, [rows, inner]);
    const [w1, w2] = [make(inner * outer, 2, [outer, inner]), make(outer * outer, 3, [outer, outer])];
    const first = noGrad(() => linear(x, w1, null)).floats();
    const y = linear(linear(x, w1, null, { gelu: true }), w2, null);
    const loss = mean(mul(add(y, 0.5), y));
    backward(loss);
    const digest = createHash('sha1');
    for (const t of [y, loss, x.grad, w1.grad, w2.grad]) digest.update(Buffer.from(t.floats().buffer));
    for (const t of [x, w1, w2]) t.grad.dispose();
    return { first, digest: digest.digest('hex') };
  });
}

/** Maximum error of the first FC against float64, relative to the largest value. */
function error(first) {
  const { rows, inner, outer } = SIZES;
  const [x, w] = [numbers(rows * inner, 1), numbers(inner * outer, 2)];
  let [worst, largest] = [0, 0];
  for (let i = 0; i < rows * outer; i++) {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += x[Math.floor(i / outer) * inner + k] * w[(i % outer) * inner + k];
    const difference = Math.abs(first[i] - sum);
    worst = difference <= worst ? worst : difference;
    largest = Math.max(largest, Math.abs(sum));
  }
  return worst / largest;
}

const start = (task, options = {}) => new Worker(__filename, { workerData: { task }, ...options });
const message = (worker) =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code} before it said anything`)));
  });
const exit = (worker) => new Promise((resolve) => worker.once('exit', resolve));
const print = (value) => console.log(JSON.stringify(value));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const tasks = {
  compute: () => parentPort.postMessage(Array.from({ length: 10 }, () => compute().digest)),
  forever: () => {
    for (let i = 0; ; i++) {
      compute();
      if (i === 2) parentPort.postMessage('busy');
    }
  },
  hoard: () => {
    globalThis.kept = Array.from({ length: 50 }, () => require(LIBRARY).zeros([1 << 14]));
    parentPort.postMessage(require(LIBRARY).memory().live);
  },
  quit: () => require(LIBRARY).scope(() => (compute(), process.exit(5))),
  throw: () => require(LIBRARY).scope(() => require(LIBRARY).zeros([-1])),
};

const scenarios = {
  // The main thread and four workers at once; the workers load the addon at the same time, before the main thread does.
  async together() {
    const workers = Array.from({ length: 4 }, () => start('compute'));
    const [ended, answers] = [workers.map(exit), workers.map(message)];
    const mine = [];
    for (let i = 0; i < 10; i++, await pause(0)) mine.push(compute());
    const digests = new Set([...mine.map((r) => r.digest), ...(await Promise.all(answers)).flat()]);
    print({ digests: digests.size, error: error(mine[0].first), codes: await Promise.all(ended) });
  },
  // Workers terminated within a kernel free their memory, and the main thread continues.
  async terminate() {
    const [before, live] = [compute().digest, require(LIBRARY).memory().live];
    for (let i = 0; i < 4; i++) {
      const workers = [start('forever'), start('forever')];
      await Promise.all(workers.map(message));
      await pause(i * 3);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    print({ same: compute().digest === before, left: require(LIBRARY).memory().live - live });
  },
  // A worker that ends frees its undisposed tensors.
  async hoard() {
    const { memory } = require(LIBRARY);
    const live = memory().live;
    for (let i = 0; i < 3; i++) {
      const worker = start('hoard');
      const [held, code] = await Promise.all([message(worker), exit(worker)]);
      print({ held: held - live, left: memory().live - live, code });
    }
  },
  async exit() {
    await Promise.all([start('forever'), start('forever')].map(message));
    process.exit(3);
  },
  // The main thread ends while an unreferenced worker computes.
  async end() {
    const worker = start('forever');
    await message(worker);
    worker.unref();
    setTimeout(() => undefined, 1e6).unref();
    globalThis.kept = require(LIBRARY).zeros([100]);
  },
  async crash() {
    await message(start('forever'));
    compute();
    throw new Error('on purpose');
  },
  async quit() {
    const worker = start('quit');
    print({ code: await exit(worker), error: error(compute().first) });
  },
  async throw() {
    const worker = start('throw');
    const thrown = await message(worker).catch((e) => e.message);
    print({ thrown, error: error(compute().first) });
  },
};

if (isMainThread) void scenarios[process.argv[2]]();
else tasks[workerData.task]();
