'use strict';
/**
 * Preloaded into the ranks of a training: RANK_FAULT is `<rank>:<kind>:<n>`, and the rank has this fault at the n-th slice that it
 * computes. Kinds: throw, exit (with status 0), kill, hang, flip (a bit of a weight), nan (a weight), full (the disk, from then on), stop (SIGUSR1).
 */
const { isMainThread } = require('node:worker_threads');
const path = require('node:path');

const dist = path.join(__dirname, '..', '..', 'dist', 'train');
const [rank, kind, n] = (process.env.RANK_FAULT ?? '').split(':');
const own = process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK ?? process.env.RANK ?? '0';

function changeBits(model, change) {
  const [p] = model.parameters();
  const values = p.floats();
  const bits = new Uint32Array(values.buffer);
  bits[0] = change(bits[0]);
  p.copyFrom(values);
}

function fillDisk() {
  const state = require(path.join(dist, 'state.js'));
  state.saveRun = (file) => {
    throw new Error(`ENOSPC: no space left on device, write '${file}'`);
  };
}

const FAULTS = {
  throw: () => {
    throw new Error('an injected fault');
  },
  exit: () => process.exit(0),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  hang: () => {
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  },
  flip: (model) => changeBits(model, (bits) => bits ^ (1 << 12)),
  nan: (model) => changeBits(model, () => 0x7fc00000),
  full: fillDisk,
  stop: () => process.kill(process.pid, 'SIGUSR1'),
};

if (isMainThread && rank === own && process.argv.includes('train')) {
  const { LaunchedSteps } = require(path.join(dist, 'step.js'));
  const { gradients } = LaunchedSteps.prototype;
  let calls = 0;
  LaunchedSteps.prototype.gradients = function (...args) {
    if (++calls === Number(n)) FAULTS[kind](this.parts.model);
    return gradients.apply(this, args);
  };
}
