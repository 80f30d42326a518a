import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'build*', 'node_modules', 'runs', 'docs/api', 'bench/peers'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.cjs', '**/*.js'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 15],
    },
  },
  {
    // Every kernel call builds such an object. V8 makes `{ a, b, ...rest }` in 0.1 µs, but `{ ...rest, a, b }` in up to 50 µs.
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.object.name="kernels"] > ObjectExpression > SpreadElement:first-child',
          message: "Spread last: an object that starts with a spread takes longer to make than the kernel's call.",
        },
      ],
    },
  },
);
