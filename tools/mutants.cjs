/**
 * Plants known faults one by one and runs the tests of their area, which must fail: `node tools/mutants.cjs [NAME…]`. A mutant changes
 * a source file, which is restored afterwards. Not part of the test suites: docs/testing.md has the results.
 */
const { spawnSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');

/** Name, file, text, replacement, tests. Each text is in its file once. */
const MUTANTS = [
  [
    'weight of an incomplete batch',
    'src/train/trainer.ts',
    'labels.length / (clipsPerBatch * accumulate)',
    '1 / accumulate',
    'test/train/trainer',
  ],
  [
    'every epoch is kept',
    'src/train/run_files.ts',
    'this.keepEvery > 0 &&',
    'this.keepEvery > 1 &&',
    'test/train/kill_saves',
  ],
  [
    "the open step at an epoch's end",
    'src/train/trainer.ts',
    '    if (open) this.takeStep(open);\n    shares',
    '    shares',
    'test/train/trainer',
  ],
  ['top-5 of training counts 6', 'src/train/metrics.ts', 'if (rank < 5)', 'if (rank <= 5)', 'test/train/metrics'],
  ['top-5 of an evaluation counts 6', 'src/train/evaluate.ts', 'if (rank < 5)', 'if (rank <= 5)', 'test/train/metrics'],
  [
    'accuracy of mixed labels',
    'src/train/trainer.ts',
    'if (!targets) return labels;',
    'if (targets !== null) return labels;',
    'test/train/trainer',
  ],
  [
    'schedule at the end of a step',
    'src/train/trainer.ts',
    '(end - accumulate) / train.batches',
    'end / train.batches',
    'test/train/trainer',
  ],
  [
    'decay of the moving average',
    'src/optim/moving_average.ts',
    '1 - this.decay,',
    'this.decay,',
    'test/optim/moving_average',
  ],
  ['gradients that reweight needs', 'src/ops/reweight.ts', '(needs[i] ?', '(needs[0] ?', 'test/ops/reweight'],
  ['gradients of a failed backward', 'src/core/autograd.ts', '    sweep.abandon();\n', '', 'test/core/autograd'],
  ['largest finite number', 'native/cpu/ops/non_finite.cc', '3.4028235e38f', '1e38f', 'test/core/autograd'],
  [
    'the record of a save first',
    'src/train/run_files.ts',
    'if (end?.best) this.saveBest(learned, info, end.epoch);',
    'saveRun(this.files.last, learned, info, state);\n    if (end?.best) this.saveBest(learned, info, end.epoch);',
    'test/train/kill_saves',
  ],
  [
    'best of incomplete validations',
    'src/train/trainer.ts',
    'valMissed === least',
    'valMissed >= least',
    'test/train/run_lock',
  ],
  [
    'decoders in the process group',
    'src/data/video/node_av_decoder.ts',
    'detached: true,',
    'detached: false,',
    'test/data/video/killed_decoder',
  ],
  [
    'a killed decoder is a bad file',
    'src/data/video/patience.ts',
    "'SIGSYS']",
    "'SIGSYS', 'SIGKILL']",
    'test/data/video/killed_decoder',
  ],
];

function run(command, args) {
  return spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, MORPHMLP_SUITE: 'fast' } });
}

/** Whether the tests fail with the mutant. */
function isKilled([name, file, text, replacement, tests]) {
  const whole = path.join(ROOT, file);
  const source = readFileSync(whole, 'utf8');
  if (source.split(text).length !== 2) throw new Error(`${name}: ${file} should have ${JSON.stringify(text)} once`);
  const native = file.startsWith('native/');
  const build = () => (native ? run('npm', ['run', 'build:native']) : { status: 0 });
  try {
    writeFileSync(
      whole,
      source.replace(text, () => replacement),
    );
    if (build().status !== 0) throw new Error(`${name}: the mutant does not compile`);
    const { status, stderr } = run('npx', ['jest', tests, '--maxWorkers=1', '--bail']);
    if (/No tests found/.test(stderr)) throw new Error(`${name}: no tests match ${tests}`);
    return status !== 0;
  } finally {
    writeFileSync(whole, source);
    build();
  }
}

const chosen = process.argv.slice(2);
const mutants = MUTANTS.filter(([name]) => chosen.length === 0 || chosen.some((word) => name.includes(word)));
let killed = 0;
for (const mutant of mutants) {
  const dead = isKilled(mutant);
  killed += dead ? 1 : 0;
  console.log(`${dead ? 'killed  ' : 'SURVIVED'}  ${mutant[0]} (${mutant[1]}; ${mutant[4]})`);
}
console.log(`${killed} of ${mutants.length} mutants killed`);
process.exitCode = killed === mutants.length ? 0 : 1;
