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
);
