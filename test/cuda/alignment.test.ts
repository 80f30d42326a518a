import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { cLibrary } from '../support/c_library';

test('tensors of a caller of the C library may begin at any multiple of 16 bytes', () => {
  const script = path.join(__dirname, '..', 'c_api', 'alignment.py');
  const { status, stdout, stderr } = spawnSync('python3', [script, cLibrary(), 'cuda'], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '0.0 0.0 0.0 0.0 0.0\n', stderr: '' });
});
