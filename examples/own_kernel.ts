/** Builds a kernel of one's own (my_gelu.cc), checks it against float64, and ranks it beside the program's. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const folder = mkdtempSync(path.join(os.tmpdir(), 'own-kernel-'));
const cli = path.join(__dirname, '..', 'bin', 'morphmlp.js');

function morphmlp(command: string): void {
  console.log(`$ morphmlp ${command}`);
  execFileSync(process.execPath, [cli, ...command.split(' ')], { cwd: folder, stdio: 'inherit' });
}

try {
  copyFileSync(path.join(__dirname, 'my_gelu.cc'), path.join(folder, 'my_gelu.cc'));
  morphmlp('kernel build my_gelu.cc');
  morphmlp('kernel check ./my_gelu.so');
  morphmlp('bench kernels --plugin ./my_gelu.so --op gelu --rounds 3');
  // A run with it: morphmlp train --preset quickstart --plugin ./my_gelu.so
} finally {
  rmSync(folder, { recursive: true });
}
