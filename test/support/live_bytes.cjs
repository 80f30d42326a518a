'use strict';
// Preloaded (node --require) by tests of programs. When the program ends, it writes the live bytes after each step of its optimizer to the file
// LIVE_BYTES; a parent with a channel gets the live bytes for each message.
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { memory, optim } = require(path.join(__dirname, '..', '..', 'dist', 'main.js'));

const live = [];
const { step } = optim.Optimizer.prototype;
optim.Optimizer.prototype.step = function () {
  step.call(this);
  live.push(memory().live);
};
const file = process.env.LIVE_BYTES;
if (file) process.once('exit', () => writeFileSync(file, JSON.stringify(live)));
if (process.send) {
  process.on('message', () => process.send(memory().live));
  process.channel.unref();
}
