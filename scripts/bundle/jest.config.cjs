/** In a bundle: the tests that run on a GPU, compiled to JavaScript, of what is in dist/. */
const path = require('node:path');
module.exports = {
  rootDir: path.join(__dirname, '..', '..'),
  roots: ['<rootDir>/test'],
  testEnvironment: 'node',
  testMatch: ['**/*.test.js'],
  setupFiles: ['<rootDir>/test/support/device.js'],
  moduleNameMapper: { '^(?:\\.{1,2}/)+src/(.*)$': '<rootDir>/dist/$1' },
  transform: {},
  watchman: false,
  testTimeout: 600000,
};
