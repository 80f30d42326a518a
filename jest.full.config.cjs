/** The tests that take minutes: full-size models. Two at a time, as some need gigabytes. `npm run test:full`. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.full.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 900000,
  maxWorkers: 2,
};
