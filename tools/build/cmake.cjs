'use strict';
// Builds both libraries by CMake without cmake-js, which a bundle does not contain (tools/bundle).
//   node tools/build/cmake.cjs [--out build] [--cuda AUTO|ON|OFF] [--jobs N]
// writes OUT/Release/morphmlp.node and OUT/Release/libmorphmlp.so. --cuda AUTO is ON if nvcc is found. $CXX and $CUDACXX
// select other compilers.
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const root = path.join(__dirname, '..', '..');

const runs = (program, ...args) => spawnSync(program, [...args, '--version']).status === 0;
/** The path or name of nvcc; undefined if it is not on this machine. */
const findNvcc = () =>
  [process.env.CUDACXX, 'nvcc', '/usr/local/cuda/bin/nvcc'].filter(Boolean).find((program) => runs(program));

/** ON or OFF for the option --cuda. */
function resolveCuda(cuda) {
  if (!['AUTO', 'ON', 'OFF'].includes(cuda)) throw new Error(`--cuda: expected AUTO, ON or OFF, got '${cuda}'`);
  if (cuda === 'AUTO') return findNvcc() ? 'ON' : 'OFF';
  if (cuda === 'ON' && !findNvcc())
    throw new Error('--cuda ON: nvcc is not on the PATH, in $CUDACXX or in /usr/local/cuda/bin');
  return cuda;
}

/** Arguments of `cmake` that configure a build in `folder`. */
function configureArguments(folder, cuda, defines) {
  const headers = ['node-addon-api', 'node-api-headers'].map((name) => path.resolve(require(name).include_dir));
  const variables = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: path.join(folder, 'Release'),
    CMAKE_JS_INC: headers.join(';'),
    NODE: process.execPath,
    MORPHMLP_CUDA: cuda,
    ...defines,
  };
  const generator = runs('ninja') ? ['-G', 'Ninja'] : [];
  return ['-S', root, '-B', folder, ...generator, ...Object.entries(variables).map(([k, v]) => `-D${k}=${v}`)];
}

function execute(...args) {
  const { status, error } = spawnSync('cmake', args, { stdio: 'inherit' });
  if (error?.code === 'ENOENT') throw new Error('cmake is not on the PATH');
  if (status !== 0) throw new Error(`cmake ${args[0] === '--build' ? '--build' : 'configure'} failed`);
}

/** Builds into `folder`; `defines` are further CMake variables. Throws if CMake fails. */
function build({ folder, cuda = 'AUTO', jobs = os.availableParallelism(), defines = {} }) {
  if (!(Number.isInteger(jobs) && jobs > 0))
    throw new Error(`--jobs: expected an integer of at least 1, got '${jobs}'`);
  execute(...configureArguments(folder, resolveCuda(cuda), defines));
  execute('--build', folder, '--target', 'morphmlp', 'morphmlp_c', '--parallel', String(jobs));
}

function main() {
  const text = { type: 'string' };
  const { values } = parseArgs({ options: { out: { ...text, default: 'build' }, cuda: text, jobs: text } });
  const { cuda, jobs } = values;
  build({ folder: path.resolve(root, values.out), cuda, jobs: jobs === undefined ? undefined : Number(jobs) });
}

module.exports = { build, configureArguments, findNvcc };
if (require.main === module)
  try {
    main();
  } catch (error) {
    console.error(`cmake: ${error.message}`);
    process.exitCode = 1;
  }
