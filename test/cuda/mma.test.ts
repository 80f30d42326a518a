import { spawnSync } from 'node:child_process';
import path from 'node:path';

const script = path.join(__dirname, '..', '..', 'native', 'test', 'cuda_shim', 'mma_test.sh');

test('the emulated mma.sync and ldmatrix are laid out as in the PTX ISA; the products and the fused MLP are plain ones', () => {
  const { status, stdout, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.match(/ right$/gm)).toHaveLength(31);
  expect(status).toBe(0);
});
