import { spawnSync } from 'node:child_process';
import path from 'node:path';

const script = path.join(__dirname, '..', '..', 'test', 'emulator', 'mma_test.sh');

test('the emulated mma.sync, ldmatrix and wgmma are laid out as in the PTX ISA; what is made of them is as plain loops have it', () => {
  const { status, stdout, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.match(/ right$/gm)).toHaveLength(82);
  expect(status).toBe(0);
});
