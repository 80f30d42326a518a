/** The tests that take long by nature: thousands of training steps. `npm run test:soak`. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.soak.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 3600000,
  maxWorkers: 1,
};
