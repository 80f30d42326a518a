/** Configuration of jest in a bundle: compiled tests of dist/. */
const path = require('node:path');
module.exports = {
  rootDir: path.join(__dirname, '..', '..'),
  roots: ['<rootDir>/test'],
  testEnvironment: 'node',
  testMatch: ['**/*.test.js'],
  setupFiles: ['<rootDir>/test/support/device.js'],
  transform: {},
  watchman: false,
  testTimeout: 600000,
};
