'use strict';
// ./run of a bundle: each step runs a few commands and writes a log and a record of the machine.
const { spawn } = require('node:child_process');
const { createWriteStream, mkdirSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { differences, readManifest } = require('./manifest.cjs');
const { findNvcc } = require('../build/cmake.cjs');
const machine = require('./machine.cjs');

const commands = require('./commands.cjs');
const quick = require('./quick.cjs');

const { root, node, morphmlp, reference, runTests, againstTorch, typesOf, profile } = commands;

/** Trains in each type of the device and compares the losses of bf16 with those of f32. */
function train200({ device, out, extra }) {
  const runs = typesOf(device).map((type) => [type, path.join(out, `train-200-${type}`)]);
  const train = ([type, folder]) =>
    morphmlp(
      ...['train', '--preset', 'quickstart', '--data', 'motion:400', '--batch-size', '8', '--epochs', '4'],
      ...['--device', device, '--precision', type, '--out', folder, '--overwrite', ...extra],
    );
  const metrics = runs.map(([, folder]) => path.join(folder, 'metrics.jsonl'));
  const follow = [node, path.join(__dirname, 'follow.cjs'), ...metrics];
  return [...runs.map(train), ...(runs.length > 1 ? [follow] : [])];
}

/** Benchmarks every op in each type of the device; plugins support f32 only. */
const benchKernels = ({ device, out, extra }) =>
  (extra.includes('--plugin') ? ['f32'] : typesOf(device)).map((precision) =>
    morphmlp(
      ...['bench', 'kernels', '--device', device, '--precision', precision],
      ...['--out', path.join(out, `kernels_${precision}.json`), ...extra],
    ),
  );

/**
 * Benchmarks whole networks: on a GPU large ones in both types, with peers and then as CUDA graphs; on a CPU one small one.
 */
function benchModels({ device, out, extra }) {
  const measure = (precision, name, ...how) =>
    morphmlp(
      ...['bench', 'models', '--device', device, '--precision', precision, '--rounds', '7', ...how],
      ...['--out', path.join(out, `models_${name}.json`), ...extra],
    );
  if (device === 'cpu') return [measure('f32', 'f32', '--peers', '--cases', 'image-t forward 1')];
  return ['f32', 'bf16'].flatMap((precision) => [
    measure(precision, precision, '--peers'),
    measure(precision, `${precision}_graph`, '--launch', 'graph'),
  ]);
}

/** Runs memcheck and racecheck on tests; findings give exit status 86. */
function sanitizer({ extra }) {
  const tool = commands.findTool('compute-sanitizer');
  if (!tool) throw new Error('expected compute-sanitizer on the PATH or in /usr/local/cuda/bin');
  const tests = extra.length > 0 ? extra : ['test/ops', 'test/optim'];
  return ['memcheck', 'racecheck'].map((name) => commands.sanitized(tool, name, runTests(...tests)));
}

/** Commands with `needs: 'torch'` are skipped, with a note in the record, if Python has no PyTorch. */
const STEPS = {
  doctor: { about: 'show processor, GPU, driver and compiled architectures', commands: () => [morphmlp('doctor')] },
  build: {
    about: 'compile both libraries here, by CMake, with CUDA if nvcc is found',
    commands: ({ extra }) => [[node, path.join(root, 'tools', 'build', 'cmake.cjs'), ...extra]],
  },
  test: {
    about: 'kernels, optimizers and small models against float64; the C library against PyTorch',
    onDevice: true,
    commands: ({ device, out, extra }) => [
      runTests(...extra, ...(device === 'cpu' ? ['--testPathIgnorePatterns', '/test/cuda/'] : [])),
      { needs: 'torch', command: againstTorch(device, path.join(out, 'torch_check.json')) },
    ],
  },
  parity: {
    about: 'whole models against reference outputs: the tiny ones, on a GPU the published sizes too',
    onDevice: true,
    commands: ({ device }) =>
      ['tiny.json', ...(device === 'cuda' ? ['models_full.json'] : [])].map((file) =>
        morphmlp('verify', reference(file), '--device', device),
      ),
  },
  'train-200': {
    about: '200 training steps on moving shapes; on a GPU in f32 and bf16, whose losses must follow each other',
    onDevice: true,
    commands: train200,
  },
  bench: {
    about:
      "every op at the network's shapes, on a GPU in f32 and bf16; the C library against PyTorch eager and torch.compile",
    onDevice: true,
    commands: ({ device, out, extra }) => [
      ...benchKernels({ device, out, extra }),
      { needs: 'torch', command: againstTorch(device, path.join(out, 'torch_times.json'), '--time') },
    ],
  },
  models: {
    about: 'whole networks, forward and training step, in f32 and bf16, against PyTorch eager and torch.compile',
    onDevice: true,
    commands: benchModels,
  },
  profile: {
    about: 'time of video S by kernel: forward and training step',
    onDevice: true,
    commands: profile,
  },
  sanitize: {
    about: 'compute-sanitizer: memcheck and racecheck over the tests',
    onDevice: true,
    gpuOnly: true,
    commands: sanitizer,
  },
};

const HELP = `usage: ./run STEP [OUT=folder] [--device cuda|cpu] [-- arguments]

${Object.entries(STEPS)
  .map(([name, { about }]) => `  ${name.padEnd(11)}${about}`)
  .join('\n')}
  all        all steps, also after a failure; builds only if the libraries do not load, or lack CUDA and nvcc is found
             (--no-build: never)
  quick      what a few minutes on a GPU can show, in at most 480 s: smoke test, also under memcheck, kernels against PyTorch,
             video S, tests of ops, speed beside PyTorch, profile, ncu; writes OUT/summary.txt, quick.json and results.tar.gz. Words after -- select test files
  check      compare the files with MANIFEST.json

Each step writes OUT/STEP.json (device, driver, clocks, commit, exit status, duration) and OUT/STEP.log; OUT is results/. Exit
status 1 if a step failed. GPU steps report why no GPU is available. Arguments after -- are passed to the program of the
step. PYTHON is the Python with PyTorch (default: python3); without PyTorch the checks that need it are skipped.

Examples:
  ./run doctor
  ./run all OUT=h100
  ./run test -- test/ops/linear
  ./run test --device cpu`;

/** Runs one command with its output on the terminal and in the log. Resolves to { command, exit, seconds, note }. */
function runCommand(argv, log, env) {
  const since = performance.now();
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])
      from.on('data', (text) => {
        to.write(text);
        log.write(text);
      });
    const end = (exit, note) => resolve({ command: argv, exit, seconds: (performance.now() - since) / 1000, ...note });
    child.on('error', (error) => end(null, { note: error.message }));
    child.on('close', (exit, signal) => end(exit, signal ? { note: `ended by ${signal}` } : {}));
  });
}

/** { commands, notes } of a step, without commands that need PyTorch if it is missing. */
function commandsOf(step, options, torch) {
  const all = step.commands(options).map((given) => (Array.isArray(given) ? { command: given } : given));
  const kept = all.filter(({ needs }) => needs !== 'torch' || torch !== null);
  const notes =
    kept.length < all.length ? [`${machine.python()} has no PyTorch: the comparison with it was skipped`] : [];
  return { commands: kept.map(({ command }) => command), notes };
}

/** Reason why a step cannot run here; undefined if it can. */
function obstacle(step, device, cuda) {
  if (step.gpuOnly && device !== 'cuda') return 'this step needs --device cuda';
  if (step.onDevice && device === 'cuda' && cuda.status !== 'available') return `no CUDA device: ${cuda.status}`;
  return undefined;
}

async function runAll(name, step, options, record) {
  const { commands, notes } = commandsOf(step, options, record.torch);
  for (const note of notes) console.log(`${name}: ${note}`);
  const log = createWriteStream(path.join(options.out, `${name}.log`));
  const env = {
    MORPHMLP_TEST_DEVICE: options.device,
    ...(record.torch === null ? {} : { MORPHMLP_TORCH_PYTHON: machine.python() }),
  };
  const ran = [];
  for (const command of commands) {
    if (interrupted) break;
    ran.push(await runCommand(command, log, env));
  }
  await new Promise((done) => log.end(done));
  return { ran, notes };
}

let interrupted = false;

function statusOf(ran) {
  if (interrupted) return 'interrupted';
  return ran.every(({ exit }) => exit === 0) ? 'passed' : 'failed';
}

/** Runs a step and writes its record. Resolves to the status: passed, failed, no device, interrupted. */
async function runStep(name, options) {
  const step = STEPS[name];
  const cuda = machine.cuda();
  const { commit } = readManifest(root);
  const [started, since] = [new Date().toISOString(), performance.now()];
  const record = {
    step: name,
    commit,
    on: options.device,
    cuda,
    torch: machine.torch(),
    cpu: machine.cpu(),
    node: process.version,
  };
  record.host = { kernel: os.release(), gpuBefore: machine.smi() };
  const why = obstacle(step, options.device, cuda);
  let result = { ran: [], notes: [why], status: 'no device' };
  if (why) console.error(`${name}: ${why}`);
  else {
    try {
      const { ran, notes } = await runAll(name, step, options, record);
      result = { ran, notes, status: statusOf(ran) };
    } catch (error) {
      console.error(`${name}: ${error.message}`);
      result = { ran: [], notes: [error.message], status: 'failed' };
    }
  }
  const seconds = (performance.now() - since) / 1000;
  const written = { ...record, ...result, started, seconds, gpuAfter: machine.smi() };
  writeFileSync(path.join(options.out, `${name}.json`), `${JSON.stringify(written, null, 1)}\n`);
  return result.status;
}

/** Whether to compile: the addon does not load, or it has no CUDA kernels and nvcc is found. */
function wantsBuild() {
  const { compiled, status } = machine.cuda();
  return (!compiled && findNvcc() !== undefined) || /could not be loaded/.test(status);
}

async function runSteps(names, options) {
  const ended = [];
  for (const name of names) {
    if (interrupted) break;
    console.log(`\n=== ${name}`);
    const since = performance.now();
    ended.push({ name, status: await runStep(name, options), seconds: (performance.now() - since) / 1000 });
  }
  console.log(`\nrecords in ${options.out}`);
  for (const { name, status, seconds } of ended)
    console.log(`  ${name.padEnd(11)}${status.padEnd(12)}${seconds.toFixed(1)} s`);
  return ended.every(({ status }) => status === 'passed');
}

/** Parses the command line: { name, options }. */
function parse(args) {
  const cut = args.includes('--') ? args.indexOf('--') : args.length;
  const [given, extra] = [args.slice(0, cut), args.slice(cut + 1)];
  const options = { device: 'cuda', out: path.join(root, 'results'), build: true, extra };
  const names = [];
  while (given.length > 0) {
    const word = given.shift();
    if (word === '--device') options.device = given.shift();
    else if (word === '--no-build') options.build = false;
    else if (/^OUT=./.test(word)) options.out = path.resolve(process.env.MORPHMLP_CALLER ?? '.', word.slice(4));
    else names.push(word);
  }
  if (!['cuda', 'cpu'].includes(options.device))
    throw new Error(`--device: expected cuda or cpu, got '${options.device}'`);
  const known = [...Object.keys(STEPS), 'all', 'quick', 'check'];
  if (names.length !== 1 || !known.includes(names[0]))
    throw new Error(`expected one of ${known.join(', ')}, got '${names.join(' ')}' (./run --help)`);
  return { name: names[0], options };
}

function check() {
  const found = differences(root);
  console.log(found.join('\n') || 'every file is as the manifest says');
  return found.length === 0;
}

async function main(args) {
  if (args.length === 0 || args.includes('--help') || args[0] === 'help') return console.log(HELP);
  const { name, options } = parse(args);
  if (name === 'check') return void (process.exitCode = check() ? 0 : 1);
  if (name === 'quick') return void (process.exitCode = (await quick.run(options)) ? 0 : 1);
  process.on('SIGINT', () => (interrupted = true)); // the running command receives SIGINT too and ends first
  mkdirSync(options.out, { recursive: true });
  const all = [
    'doctor',
    ...(name === 'all' && options.build && wantsBuild() ? ['build'] : []),
    ...Object.keys(STEPS).slice(2),
  ];
  const passed = await runSteps(name === 'all' ? all : [name], options);
  process.exitCode = passed ? 0 : 1;
}

module.exports = { parse, STEPS };
if (require.main === module)
  main(process.argv.slice(2)).catch((error) => {
    console.error(`run: ${error.message}`);
    process.exitCode = 2;
  });
