'use strict';
// Scenarios for a process with limited address space: node address_space_child.cjs tensors|threads. Prints one line of JSON.
const path = require('node:path');
const { add, mean, memory, scope, setThreads, threads, zeros } = require(path.join(__dirname, '..', '..', 'dist'));

const PIECE = 64 * 2 ** 20;
const MOST = 32;
const live = () => memory('cpu').live;
const piece = () => zeros([PIECE / 4], { device: 'cpu' });
const compute = () => scope(() => mean(add(piece(), 2)).item());

/** Allocates until it fails: { message, held } with the error message and the live bytes. */
function fill() {
  for (let i = 0; i < MOST; i++) {
    const held = live();
    try {
      piece();
    } catch (error) {
      return { message: error.message, held };
    }
  }
  throw new Error(`${MOST} tensors of ${PIECE} bytes found room`); // the limit is not enforced: stop before memory is exhausted
}

function messageOf(body) {
  try {
    body();
  } catch (error) {
    return error.message;
  }
}

const scenarios = {
  tensors: () => ({ ...scope(fill), left: live(), again: compute() }),
  threads() {
    const messages = [compute, compute].map(messageOf);
    setThreads(2);
    return { messages, again: compute(), threads: threads() };
  },
};

console.log(JSON.stringify(scenarios[process.argv[2]]()));
