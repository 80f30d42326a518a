'use strict';
// What runs in a limited address space, each in a process of its own: node address_space_child.cjs tensors|threads. Prints one line of JSON.
const path = require('node:path');
const { add, mean, memory, scope, setThreads, threads, zeros } = require(path.join(__dirname, '..', '..', 'dist'));

const PIECE = 64 * 2 ** 20;
const MOST = 32;
const live = () => memory('cpu').live;
const piece = () => zeros([PIECE / 4], { device: 'cpu' });
const compute = () => scope(() => mean(add(piece(), 2)).item());

/** What the tensor for which there was no room was told, and the bytes that others held then. */
function fill() {
  for (let i = 0; i < MOST; i++) {
    const held = live();
    try {
      piece();
    } catch (error) {
      return { message: error.message, held };
    }
  }
  throw new Error(`${MOST} tensors of ${PIECE} bytes found room`); // the limit does not hold: stop before the machine is full
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
