/**
 * The tests of the kernels, the optimizers and whole small models with every tensor on the device `cuda`: a GPU, or its emulation
 * (scripts/test_cuda.cjs says which). `npm run test:cuda`.
 */
const fast = require('./jest.config.cjs');
module.exports = {
  ...fast,
  setupFiles: ['<rootDir>/test/support/device.ts'],
  testMatch: ['ops', 'optim', 'models', 'nn', 'cuda', 'c_api'].map((folder) => `**/test/${folder}/*.test.ts`),
  testPathIgnorePatterns: fast.testPathIgnorePatterns.filter((pattern) => pattern !== '/test/cuda/'),
};
