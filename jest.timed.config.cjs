/**
 * The tests whose times are held to limits of the machine that were measured just before: nothing else may run beside them, not even
 * one of themselves. `npm run test:timed`.
 */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.timed.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 900000,
  maxWorkers: 1,
};
