'use strict';
// node follow.cjs F32.jsonl BF16.jsonl: compares the losses of two runs by their metrics. Exit status 1 if they differ.
const { readFileSync } = require('node:fs');

const WINDOW = 20; // steps per mean, since the losses of single batches are noisy
const ALLOWED = 0.1; // fraction of the mean loss, which tolerates a shift of the curve by a few steps

/** The losses of all steps of a metrics.jsonl. */
function lossesOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const losses = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'step');
  if (losses.length < WINDOW) throw new Error(`${file}: expected at least ${WINDOW} steps, got ${losses.length}`);
  return losses.map(({ loss }) => loss ?? NaN);
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const windows = (losses) =>
  Array.from({ length: Math.floor(losses.length / WINDOW) }, (_, i) =>
    mean(losses.slice(i * WINDOW, (i + 1) * WINDOW)),
  );

/** { rows, apart, follows }: mean losses by window, their mean difference as a fraction of the mean loss, and the verdict. */
function follow(one, other) {
  if (one.length !== other.length) throw new Error(`expected as many steps, got ${one.length} and ${other.length}`);
  const rows = windows(one).map((loss, i) => [loss, windows(other)[i]]);
  const apart = mean(rows.map(([a, b]) => Math.abs(a - b))) / mean(rows.map(([a]) => a));
  return { rows, apart, follows: apart <= ALLOWED };
}

function main([first, second]) {
  if (!second) throw new Error('expected two files metrics.jsonl');
  const { rows, apart, follows } = follow(lossesOf(first), lossesOf(second));
  rows.forEach(([a, b], i) =>
    console.log(`steps ${i * WINDOW + 1} to ${(i + 1) * WINDOW}: ${a.toFixed(4)} ${b.toFixed(4)}`),
  );
  console.log(`${(100 * apart).toFixed(1)}% of the mean loss apart, allowed ${100 * ALLOWED}%`);
  process.exitCode = follows ? 0 : 1;
}

module.exports = { follow, lossesOf };
if (require.main === module)
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`follow: ${error.message}`);
    process.exitCode = 2;
  }
