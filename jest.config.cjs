/**
 * The suites. `npx jest [PATH…]` and `npm test` run `fast`; `npm run test:<name>` sets MORPHMLP_SUITE to another. A slow suite has the
 * tests whose files end in its name (`*.full.test.ts`).
 */
const base = {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/tools/build/build_ts.cjs',
  roots: ['<rootDir>/test'],
  setupFilesAfterEnv: ['<rootDir>/test/support/collect_before.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json', diagnostics: false }] },
};
const slow = ['/node_modules/', '\\.(full|soak|timed|ranks)\\.test\\.ts$'];
const ending = (name) => ({ ...base, testMatch: [`**/*.${name}.test.ts`] });

const SUITES = {
  fast: {
    options: { testTimeout: 180_000 }, // many times what a test takes: a machine may be shared
    project: { ...base, testMatch: ['**/*.test.ts'], testPathIgnorePatterns: ['/test/cuda/', ...slow] },
  },
  // Full-size models; two at a time, as some need gigabytes.
  full: { options: { testTimeout: 900_000, maxWorkers: 2 }, project: ending('full') },
  // Thousands of training steps.
  soak: { options: { testTimeout: 3_600_000, maxWorkers: 1 }, project: ending('soak') },
  // Times held to limits of the machine that were measured just before: nothing else may run beside them.
  timed: { options: { testTimeout: 900_000, maxWorkers: 1 }, project: ending('timed') },
  // Trainings of several processes under the MPIs of this machine (openmpi-bin, mpich): says NOT RUN where there is none.
  ranks: { options: { testTimeout: 600_000, maxWorkers: 1 }, project: ending('ranks') },
  // Kernels, optimizers and small models with every tensor on the device `cuda`: a GPU, or its emulation (tools/test_cuda.cjs).
  cuda: {
    options: { testTimeout: 900_000 }, // the emulation is slow where the machine is shared
    project: {
      ...base,
      setupFiles: ['<rootDir>/test/support/device.ts'],
      testMatch: ['ops', 'optim', 'models', 'nn', 'cuda', 'c_api'].map((folder) => `**/test/${folder}/*.test.ts`),
      testPathIgnorePatterns: slow,
    },
  },
};

const name = process.env.MORPHMLP_SUITE ?? 'fast';
if (!Object.hasOwn(SUITES, name)) {
  throw new Error(`MORPHMLP_SUITE: expected ${Object.keys(SUITES).join(', ')}, got '${name}'`);
}
const { options, project } = SUITES[name];
module.exports = { ...options, projects: [{ ...project, displayName: name }] };
