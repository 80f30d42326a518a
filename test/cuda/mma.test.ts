import { spawnSync } from 'node:child_process';
import path from 'node:path';

const script = path.join(__dirname, '..', '..', 'test', 'emulator', 'mma_test.sh');

test('emulated mma.sync, ldmatrix and wgmma follow the layouts of the PTX ISA; kernels built on them match plain loops', () => {
  const { status, stdout, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.match(/ right$/gm)).toHaveLength(70);
  expect(status).toBe(0);
});
