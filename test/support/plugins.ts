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
