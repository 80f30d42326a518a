import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { INCLUDE } from '../../src/bench/build_kernel';

/** What `fixtures/plugins/faulty.cc` can do wrong, in the order of its enum. */
export const FAULTS = [
  ...['none', 'zeros', 'stale', 'unwritten', 'off by one chunk', 'transposed', 'one nan', 'reads past', 'writes past'],
  ...['writes input', 'null', 'aborts', 'exits', 'throws', 'sleeps', 'wrong gradient', 'no backward', 'unsupported'],
  ...['fails', 'other version', 'prints', 'late'],
] as const;

const root = path.join(__dirname, '..', '..');
const source = path.join(root, 'test', 'fixtures', 'plugins', 'faulty.cc');
const naive = path.join(root, 'native', 'naive', 'morph_fc.cc');

/** Compiles the faulty kernel with one fault into `folder`; returns the library. */
export function faultyPlugin(folder: string, fault: (typeof FAULTS)[number]): string {
  const library = path.join(folder, `${fault.replaceAll(' ', '_')}.so`);
  const defines = [`-DFAULT=${FAULTS.indexOf(fault)}`, `-DNAIVE="${naive}"`, '-DMORPHMLP_FLAGS="-O1"'];
  const args = ['-O1', '-std=c++17', '-fPIC', '-shared', `-I${INCLUDE}`, ...defines, source, '-o', library];
  const { status, stderr } = spawnSync(process.env['CXX'] ?? 'c++', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return library;
}

/** What `fixtures/plugins/faulty_on_device.cu` can do wrong, in the order of its enum. */
export const DEVICE_FAULTS = [
  ...['none', 'zeros', 'unwritten', 'off by one row', 'writes past', 'writes before', 'writes input'],
  ...['writes past workspace', 'on host', 'default stream', 'wrong gradient', 'fails'],
] as const;

/** Takes the place of nvcc where the device is emulated; a real one compiles for a GPU. */
export const NVCC = process.env['MORPHMLP_ADDON']
  ? path.join(root, 'native', 'test', 'cuda_shim', 'nvcc.cjs')
  : (process.env['NVCC'] ?? 'nvcc');

/** Compiles the faulty CUDA kernel with one fault into `folder`; returns the library. */
export function faultyDevicePlugin(folder: string, fault: (typeof DEVICE_FAULTS)[number]): string {
  const library = path.join(folder, `${fault.replaceAll(' ', '_')}.so`);
  const cuda = path.join(root, 'test', 'fixtures', 'plugins', 'faulty_on_device.cu');
  const linear = path.join(root, 'native', 'naive', 'linear.cc');
  const defines = [`-DFAULT=${DEVICE_FAULTS.indexOf(fault)}`, `-DNAIVE="${linear}"`, '-DMORPHMLP_FLAGS="-O1"'];
  const args = ['-O1', '-std=c++17', '-Xcompiler', '-fPIC', '-shared', `-I${INCLUDE}`, ...defines, cuda, '-o', library];
  const { status, stderr, error } = spawnSync(NVCC, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr);
  return library;
}
