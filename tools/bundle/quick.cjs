'use strict';
// ./run quick: what a few minutes on a GPU can show, in one command with a time budget. Steps are ordered by worth.
const { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const commands = require('./commands.cjs');
const machine = require('./machine.cjs');
const { readManifest } = require('./manifest.cjs');
const { TimedSteps, lastLines } = require('./timed_steps.cjs');

const { root, morphmlp, peer, reference, runTests } = commands;
const BUDGET = 480; // seconds, within the ten minutes that a command may take where a GPU is lent
const CASES = 'video-s-16 forward 32,video-s-16 train 32';
const TESTED = ['ops', 'optim', 'cuda'];
// Hold in the emulation alone, or compile it.
const OF_EMULATION = /\/cuda\/(mma|smoke|plugins|bench)\.test\./;

const bin = (name) => path.join(root, 'build', 'Release', name);

/** Lines of the summary from the JSON lines of the smoke test. */
function smokeLines(text) {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  const cases = lines.map((line) => JSON.parse(line));
  const bad = cases.filter(({ status }) => status !== 'ok');
  return [
    `${cases.length - bad.length} of ${cases.length} cases ok`,
    ...bad.map((one) => `${one.case}: ${one.status}, error ${one.error}, limit ${one.limit} ${one.note}`),
  ];
}

const ncuLines = (text) =>
  text
    .split('\n')
    .filter((line) => /entry|Duration|Throughput|Registers Per|Achieved Occ/.test(line))
    .map((line) => line.trim().slice(0, 110));

/** Test files of TESTED, relative to the root; those with one of the `words` in their path if there are any. */
const testFiles = (device, words) =>
  TESTED.filter((folder) => device === 'cuda' || folder !== 'cuda').flatMap((folder) =>
    readdirSync(path.join(root, 'test', folder))
      .filter((name) => /\.test\.[jt]s$/.test(name) && !/\.(full|soak|timed)\./.test(name))
      .map((name) => `test/${folder}/${name}`)
      .filter((file) => !OF_EMULATION.test(file) && (words.length === 0 || words.some((word) => file.includes(word)))),
  );

const unless = (condition, reason) => (condition ? undefined : reason);

/** Whether the network runs are possible: 'full', 'small' on a CPU, or 'none' in the emulation, which takes hours for one. */
const scaleOf = (device, cuda) => (device === 'cpu' ? 'small' : /^emulated/.test(cuda.device ?? '') ? 'none' : 'full');

function checks({ device, work, scale, torch, extra }) {
  const onGpu = unless(device === 'cuda', 'needs --device cuda');
  const smoke = onGpu ?? unless(existsSync(bin('smoke')), 'the bundle has no build/Release/smoke (made with nvcc)');
  const memcheck = smoke === undefined && scale === 'full' ? commands.findTool('compute-sanitizer') : undefined;
  const model = {
    full: ['models_full.json', 'video_s16'],
    small: ['models_full.json', 'image_t'],
    none: ['tiny.json', 'tiny_image'],
  }[scale];
  return [
    { name: 'smoke', limit: scale === 'full' ? 75 : 300, skip: smoke, show: smokeLines,
      commands: [{ command: [bin('smoke'), '--limit', scale === 'full' ? '10' : '120'] }] },
    { name: 'memcheck', limit: 60, skip: smoke ?? unless(scale === 'full', 'needs a GPU') ?? unless(memcheck, 'compute-sanitizer was not found'),
      commands: [{ command: commands.sanitized(memcheck, 'memcheck', [bin('smoke'), '--one-process']) }] },
    { name: 'ctypes', limit: 60, skip: unless(torch, `${machine.python()} has no PyTorch`) ?? unless(scale !== 'none', 'PyTorch needs a GPU'),
      commands: [{ command: commands.againstTorch(device, path.join(work, 'torch_check.json')) }] },
    { name: 'verify', limit: 60,
      commands: [{ command: morphmlp('verify', reference(model[0]), '--case', model[1], '--device', device) }] },
    { name: 'tests', limit: scale === 'full' ? 90 : 1800, parallel: scale === 'full' ? 4 : 1,
      show: (text) => text.split('\n').filter((line) => /^FAIL |●.*›/.test(line)).slice(0, 20),
      commands: testFiles(device, extra).map((file) => ({ command: runTests('--runTestsByPath', file), limit: scale === 'full' ? 45 : 600 })) },
  ]; // prettier-ignore
}

/** Speed of whole networks: ours by mma.sync, wgmma and as graphs, and PyTorch's. */
function speed({ device, work, scale, torch }) {
  const skip = unless(scale !== 'none', 'the emulation is too slow for whole networks');
  const full = scale === 'full';
  const noTorch = unless(torch && full, full ? `${machine.python()} has no PyTorch` : 'needs a GPU');
  const measure = (name, ...how) => ({
    command: morphmlp(
      ...[
        'bench',
        'models',
        '--device',
        device,
        '--precision',
        full ? 'bf16' : 'f32',
        '--rounds',
        full ? '3' : '1',
        '--cases',
        full ? CASES : 'image-t forward 1',
      ],
      ...['--out', path.join(work, `models_${name}.json`), ...how],
    ),
  });
  const step = (name, limit, ...how) => ({
    name,
    limit,
    skip,
    show: (text) => lastLines(text, 12),
    commands: [measure(name, ...how)],
  });
  const onlyFull = (one) => ({ ...one, skip: one.skip ?? unless(full, 'needs a GPU') });
  return [
    { ...step('mma', 110, ...(torch && full ? ['--peers', 'pytorch,torch.compile'] : [])), after: 'warm' },
    onlyFull(step('wgmma', 30, '--gemm', 'wgmma')),
    onlyFull(step('graph', 30, '--launch', 'graph')),
    onlyFull(step('graph_wgmma', 30, '--launch', 'graph', '--gemm', 'wgmma')),
    { name: 'torch_graph', limit: 80, skip: skip ?? noTorch, show: (text) => lastLines(text, 4),
      commands: [{ command: peer('bench.py', '--device', device, '--precision', 'bf16', '--compile', '--graphs', '--reps', '5', '--cases', CASES) }] },
  ]; // prettier-ignore
}

/** Where the time goes. */
function profiles({ device, work, scale }) {
  const skip = unless(scale !== 'none', 'the emulation is too slow for whole networks');
  const ncu = scale === 'full' ? commands.findTool('ncu') : undefined;
  const sections = ['SpeedOfLight', 'LaunchStats', 'Occupancy'].flatMap((name) => ['--section', name]);
  const profiled = (kernel) => [
    ...[
      ncu,
      '--clock-control',
      'none',
      '--target-processes',
      'all',
      '--kernel-name-base',
      'demangled',
      '-k',
      `regex:${kernel}`,
    ],
    ...['-s', '4', '-c', '1', ...sections],
    ...morphmlp('bench', 'profile', '--device', device, '--precision', 'bf16', '--batch', '32', '--steps', '1'),
  ];
  return [
    { name: 'profile', limit: 50, skip, show: (text) => lastLines(text, 30),
      commands: commands.profile({ device, out: work, extra: [] }).map((command) => ({ command })) },
    { name: 'ncu', limit: 75, skip: skip ?? unless(scale === 'full', 'needs a GPU') ?? unless(ncu, 'ncu was not found'), show: ncuLines,
      commands: ['MmaGemm', 'FusedMlp', 'NormRows'].map((kernel) => ({ command: profiled(kernel), limit: 25 })) },
  ]; // prettier-ignore
}

/** All steps, in order. `warm` compiles the peers' networks into the cache of TORCHINDUCTOR_CACHE_DIR. */
function stepsOf(context) {
  const { device, torch, scale } = context;
  const warm = {
    ...{ name: 'warm', limit: 200, background: true },
    skip: unless(torch && scale === 'full', 'needs PyTorch and a GPU'),
    commands: [
      {
        command: peer(
          'bench.py',
          '--device',
          device,
          '--precision',
          'bf16',
          '--compile',
          '--reps',
          '1',
          '--cases',
          CASES,
        ),
      },
    ],
  };
  return [warm, ...checks(context), ...speed(context), ...profiles(context)];
}

function headOf(options, cuda, torch) {
  const gpu = machine.smi();
  return [
    `morphmlp quick, commit ${readManifest(root).commit}, on ${options.device}, ${new Date().toISOString()}`,
    `${cuda.device ?? cuda.status}${gpu ? `; driver ${gpu.driver}, SM ${gpu.smMHz} MHz` : ''}; PyTorch ${torch ?? 'none'}; Node ${process.version}`,
  ].join('\n');
}

/** Runs all steps. Resolves to whether none failed. */
async function run(options) {
  const cuda = machine.cuda();
  if (options.device === 'cuda' && cuda.status !== 'available') {
    console.error(`quick: no CUDA device: ${cuda.status}`);
    return false;
  }
  mkdirSync(options.out, { recursive: true });
  const temporary = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-quick-'));
  const [work, cache] = ['results', 'inductor'].map((name) => path.join(temporary, name));
  mkdirSync(work);
  const torch = machine.torch();
  const scale = scaleOf(options.device, cuda);
  const env = {
    MORPHMLP_TEST_DEVICE: options.device,
    TORCHINDUCTOR_CACHE_DIR: cache,
    ...(torch === null ? {} : { MORPHMLP_TORCH_PYTHON: machine.python() }),
  };
  const budget = scale === 'full' ? BUDGET : 3600;
  const timed = new TimedSteps({ work, out: options.out, budget, cwd: root, head: headOf(options, cuda, torch), env });
  try {
    const passed = await timed.run(stepsOf({ ...options, work, scale, torch }));
    console.log(timed.summary(true));
    return passed;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

module.exports = { run, stepsOf, smokeLines };
