/** The fast suite. Slow suites have a config of their own beside this one and an `npm run test:<name>`. */
module.exports = {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/scripts/build_ts.cjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/test/cuda/', '\\.(full|soak|timed)\\.test\\.ts$'],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json', diagnostics: false }] },
  testTimeout: 180000, // many times what a test takes: a machine may be shared
};
