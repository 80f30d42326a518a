/** The tests that take minutes: full-size models. `npm run test:full`. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.full.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 900000,
  maxWorkers: 1,
};
