import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { INCLUDE } from '../../src/bench/build_kernel';

const root = path.join(__dirname, '..', '..');
const source = path.join(root, 'test', 'fixtures', 'plugins', 'faulty.cc');
const naive = path.join(root, 'native', 'naive', 'morph_fc.cc');

let compiled: string | null = null;

/** Compiles the faulty kernels, once for a test file, into the first folder that asks. */
function compile(folder: string): string {
  const library = path.join(folder, 'faulty.so');
  const defines = [`-DNAIVE="${naive}"`, '-DMORPHMLP_FLAGS="-O1"'];
  const args = ['-O1', '-std=c++17', '-fPIC', '-shared', `-I${INCLUDE}`, ...defines, source, '-o', library];
  const { status, stderr } = spawnSync(process.env['CXX'] ?? 'c++', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return library;
}

/** A library in `folder` with one of the faults that `fixtures/plugins/faulty.cc` names: it has the one that it is named after. */
export function faultyPlugin(folder: string, fault: string): string {
  const library = path.join(folder, `${fault.replaceAll(' ', '_')}.so`);
  copyFileSync((compiled ??= compile(folder)), library);
  return library;
}
