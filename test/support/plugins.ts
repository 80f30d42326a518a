import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { INCLUDE } from '../../src/bench/kernels/build_kernel';

const root = path.join(__dirname, '..', '..');

/** Compiles. @throws with the compiler's output */
function compile(compiler: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr);
}

/** Compiled libraries of a test file: each source is compiled once, into the first requested folder. */
const compiled = new Map<string, string>();

/** Copies the library `name` to a file named after `fault`, which selects its behaviour; `make` compiles it. */
function named(folder: string, name: string, fault: string, make: (library: string) => void): string {
  const first = compiled.get(name) ?? path.join(folder, name);
  if (!compiled.has(name)) make(first);
  compiled.set(name, first);
  const library = path.join(folder, `${fault.replaceAll(' ', '_')}.so`);
  if (!existsSync(library)) copyFileSync(first, library); // it may be loaded, and overwriting it would crash this process
  return library;
}

const fixture = (name: string) => path.join(root, 'test', 'fixtures', 'plugins', name);
const naive = (op: string) => `-DNAIVE="${path.join(root, 'native', 'baselines', 'naive', `${op}.cc`)}"`;
const common = ['-O1', '-std=c++17', '-shared', `-I${INCLUDE}`, '-DMORPHMLP_FLAGS="-O1"'];

/** A library in `folder` with one of the faults of `fixtures/plugins/faulty.cc`, selected by its file name. */
export function faultyPlugin(folder: string, fault: string): string {
  const args = [...common, '-fPIC', naive('morph_fc'), fixture('faulty.cc'), '-o'];
  return named(folder, 'faulty.so', fault, (library) => compile(process.env['CXX'] ?? 'c++', [...args, library]));
}

/** Compiles `fixtures/plugins/<name>.cc`, made of the naive kernel of `op`, into `folder`. */
export function fixturePlugin(folder: string, name: string, op: string): string {
  const library = path.join(folder, `${name}.so`);
  compile(process.env['CXX'] ?? 'c++', [...common, '-fPIC', naive(op), fixture(`${name}.cc`), '-o', library]);
  return library;
}

/** Compiles plain loops with cuBLASLt's interface into `folder`, for MORPHMLP_CUBLASLT on the emulated device. */
export function cublasLtStandIn(folder: string): string {
  const library = path.join(folder, 'cublas_lt.so');
  const include = [`-I${root}`, `-I${path.join(root, 'native')}`];
  compile('c++', ['-std=c++17', '-O1', '-shared', '-fPIC', ...include, fixture('cublas_lt.cc'), '-o', library]);
  return library;
}

/** The CUDA compiler: a substitute for nvcc if the device is emulated. */
export const NVCC = process.env['MORPHMLP_ADDON']
  ? path.join(root, 'test', 'emulator', 'nvcc.cjs')
  : (process.env['NVCC'] ?? 'nvcc');

/** A CUDA library in `folder` with one of the faults of `fixtures/plugins/faulty_on_device.cu`. */
export function faultyDevicePlugin(folder: string, fault: string): string {
  const args = [...common, '-Xcompiler', '-fPIC', naive('linear'), fixture('faulty_on_device.cu'), '-o'];
  return named(folder, 'faulty_on_device.so', fault, (library) => compile(NVCC, [...args, library]));
}
