'use strict';
// Builds both libraries with the compilers alone, where there is no CMake: the bundle does (tools/bundle/bundle.cjs).
//   node tools/build/compile.cjs [--out build] [--cuda AUTO|ON|OFF|EMULATED] [--jobs N]
// writes OUT/Release/morphmlp.node and OUT/Release/libmorphmlp.so. What did not change since is not compiled again. --cuda AUTO is
// for CUDA where nvcc is; EMULATED compiles the CUDA kernels for the CPU, for tests. $CXX and $NVCC name other compilers.
const { spawn, spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync, statSync, writeFileSync, readFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const sources = require('../../native/sources.cjs');

const root = path.join(__dirname, '..', '..');
const native = path.join(root, 'native');
const CUDA_ARCHITECTURES = ['sm_80', 'sm_90a'];
// sm_80 with PTX, which newer GPUs translate; what is for Hopper alone has none.
const GENCODE = ['arch=compute_80,code=[sm_80,compute_80]', 'arch=compute_90a,code=sm_90a'];

const words = (text) => text.split(' ').filter(Boolean);
const cxx = words(process.env.CXX || 'g++');
const findNvcc = () =>
  [process.env.NVCC, 'nvcc', '/usr/local/cuda/bin/nvcc']
    .filter(Boolean)
    .map(words)
    .find(([name, ...args]) => spawnSync(name, [...args, '--version']).status === 0);

function wantedCuda(wanted) {
  if (!['AUTO', 'ON', 'OFF', 'EMULATED'].includes(wanted))
    throw new Error(`--cuda: expected AUTO, ON, OFF or EMULATED, got '${wanted}'`);
  if (wanted === 'OFF' || wanted === 'EMULATED') return { wanted };
  const nvcc = findNvcc();
  if (!nvcc && wanted === 'ON')
    throw new Error('--cuda ON: there is no nvcc on the PATH, in $NVCC or in /usr/local/cuda/bin');
  return nvcc ? { wanted: 'ON', nvcc } : { wanted: 'OFF' };
}

function includes() {
  const headers = ['node-addon-api', 'node-api-headers'].map((name) => require(name).include_dir);
  return [
    `-I${native}`,
    `-I${path.join(root, 'include')}`,
    `-I${root}`,
    ...headers.map((dir) => `-isystem${path.resolve(dir)}`),
  ];
}

/** The jobs of one group of sources: { object, source, command }. `name` is the folder of its objects. */
function compileGroup(folder, group, name, compiler, flags) {
  return sources.sources(group).map((file) => {
    const object = path.join(folder, 'objects', name, `${file.replaceAll('../', '').replaceAll('/', '_')}.o`);
    const source = path.join(native, file);
    return { object, source, command: [...compiler, ...flags(file), '-c', source, '-o', object] };
  });
}

/** Flags for nvcc: the host compiler's go through it. Kernels are not compressed: xz does it better, and sees what is alike in them. */
function nvccFlags() {
  const host = sources.flags().filter((flag) => !/^-(O3|std=.*|ffp-contract=.*|Wall|Wextra)$/.test(flag));
  const passed = [...host, '-Wall', '-Wextra'].join(',');
  const headers = [`-I${native}`, `-I${path.join(root, 'include')}`];
  return [
    '-O3',
    '-std=c++17',
    '--no-compress',
    ...headers,
    ...GENCODE.map((code) => `-gencode=${code}`),
    `-Xcompiler=${passed}`,
  ];
}

function deviceJobs(folder, cuda, flags) {
  const architectures = CUDA_ARCHITECTURES.join(' ');
  const known = [
    `-DMORPHMLP_CUDA_ARCHITECTURES="${architectures}"`,
    `-DMORPHMLP_CUDA_FLAGS="nvcc -O3 -std=c++17 for ${architectures}"`,
  ];
  if (cuda.wanted === 'ON')
    return compileGroup(folder, 'cuda', 'cuda', cuda.nvcc, (file) => [
      ...nvccFlags(),
      ...(/\.cc$/.test(file) ? known : []),
    ]);
  const emulated = [...flags, '-DMORPHMLP_CUDA_EMULATED', '-Wno-unknown-pragmas', '-x', 'c++'];
  return cuda.wanted === 'EMULATED'
    ? compileGroup(folder, 'emulated', 'emulated', cxx, () => emulated)
    : compileGroup(folder, 'no_cuda', 'no_cuda', cxx, () => flags);
}

/** What is compiled, in the order of linking (native/sources.cjs says why the instruction sets come last). */
function plan(folder, cuda) {
  const flags = [...sources.flags(), ...includes(), '-DNAPI_VERSION=8', '-DNODE_ADDON_API_CPP_EXCEPTIONS'];
  const group = (name, extra = [], as = name) => compileGroup(folder, name, as, cxx, () => [...flags, ...extra]);
  const isas = sources.isas(process.arch);
  if (isas.length === 0) throw new Error(`there are no kernels for the architecture ${process.arch}`);
  return {
    addon: group('addon'),
    c_api: group('c_api'),
    shared: [
      ...group('core'),
      ...deviceJobs(folder, cuda, flags),
      ...isas.flatMap((isa) => group('cpu', [...sources.flags(isa), `-DMORPHMLP_ISA=${isa}`], `cpu_${isa}`)),
    ],
  };
}

const age = (file) => (existsSync(file) ? statSync(file).mtimeMs : -Infinity);

/** The newest file that any source may include. */
function newestHeader() {
  const all = [native, path.join(root, 'include')].flatMap((dir) =>
    readdirSync(dir, { recursive: true }).map((file) => path.join(dir, String(file))),
  );
  return Math.max(...all.filter((file) => /\.(h|def|cjs)$/.test(file)).map(age));
}

/** Whether the object was made by this command from these sources. The command is kept beside it. */
function isStale({ object, source, command }, headers) {
  const note = `${object}.command`;
  const same = existsSync(note) && readFileSync(note, 'utf8') === command.join('\n');
  return !same || age(object) < Math.max(age(source), headers);
}

function execute(command) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('exit', (status) => (status === 0 ? resolve(said) : reject(new Error(`${command.join(' ')}\n${said}`))));
  });
}

function showProgress(total) {
  let done = 0;
  const { isTTY } = process.stdout;
  const show = () =>
    process.stdout.write(isTTY ? `\rcompiling: ${done} of ${total}` : `compiling: ${done} of ${total}\n`);
  const timer = setInterval(show, isTTY ? 500 : 20000);
  return {
    step: () => done++,
    end: () => {
      clearInterval(timer);
      if (isTTY) process.stdout.write('\r\x1b[K');
    },
  };
}

/** Runs the jobs, `parallel` at a time; the first that fails ends it with what the compiler said. */
async function compileAll(jobs, parallel) {
  const waiting = [...jobs];
  const progress = showProgress(jobs.length);
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      mkdirSync(path.dirname(job.object), { recursive: true });
      process.stderr.write(await execute(job.command));
      writeFileSync(`${job.object}.command`, job.command.join('\n'));
      progress.step();
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, worker));
  } finally {
    waiting.length = 0;
    progress.end();
  }
}

async function link(folder, name, jobs, cuda, options = []) {
  const output = path.join(folder, 'Release', name);
  const objects = jobs.map((job) => job.object);
  if (age(output) > Math.max(...objects.map(age))) return;
  mkdirSync(path.dirname(output), { recursive: true });
  const linker = cuda.nvcc ? [...cuda.nvcc, '-shared', '-cudart=static'] : [...cxx, '-shared', '-pthread'];
  await execute([...linker, ...objects, '-o', output, '-ldl', '-lpthread', ...options]);
}

/** Builds into `folder`; resolves to { compiled, cuda: 'ON' | 'OFF' | 'EMULATED' }. */
async function compile({ folder, cuda: wanted = 'AUTO', jobs = os.availableParallelism() }) {
  const cuda = wantedCuda(wanted);
  const { addon, c_api, shared } = plan(folder, cuda);
  const headers = newestHeader();
  const stale = [...addon, ...c_api, ...shared].filter((job) => isStale(job, headers));
  // The CUDA files take longest: they go first.
  stale.sort((a, b) => Number(b.source.includes('.cu')) - Number(a.source.includes('.cu')));
  await compileAll(stale, jobs);
  await link(folder, 'morphmlp.node', [...addon, ...shared], cuda);
  await link(folder, 'libmorphmlp.so', [...c_api, ...shared], cuda, ['-Xlinker', '-z', '-Xlinker', 'nodelete']);
  return { compiled: stale.length, cuda: cuda.wanted };
}

async function main() {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: 'build' }, cuda: { type: 'string' }, jobs: { type: 'string' } },
  });
  const since = Date.now();
  const jobs = values.jobs === undefined ? os.availableParallelism() : Number(values.jobs);
  if (!(Number.isInteger(jobs) && jobs > 0))
    throw new Error(`--jobs: expected a whole number from 1, got '${values.jobs}'`);
  const folder = path.resolve(root, values.out);
  const { compiled, cuda } = await compile({ folder, cuda: values.cuda ?? 'AUTO', jobs });
  const seconds = ((Date.now() - since) / 1000).toFixed(1);
  const device = { ON: `CUDA (${CUDA_ARCHITECTURES.join(', ')})`, OFF: 'the CPU alone', EMULATED: 'emulated CUDA' }[
    cuda
  ];
  console.log(
    `${path.relative(process.cwd(), folder) || '.'}: compiled ${compiled} files in ${seconds} s, for ${device}`,
  );
}

module.exports = { compile, CUDA_ARCHITECTURES };
if (require.main === module)
  main().catch((error) => {
    console.error(`compile: ${error.message}`);
    process.exitCode = 1;
  });
