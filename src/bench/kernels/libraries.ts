/** The matrix products of BLAS libraries as plugins, for `morphmlp bench blas`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { INCLUDE } from './build_kernel';

/** The ops that a library's product computes. */
export const LIBRARY_OPS = ['linear', 'morph_fc', 'temporal_fc'] as const;

/** A library whose product is compared with ours. */
export interface BlasLibrary {
  name: string;
  /** The file of native/baselines/library that calls it. */
  product: 'cblas.h' | 'onednn.h';
  /** Linker and compiler flags. */
  flags: readonly string[];
  /** How to install it. */
  packages: string;
  /** Sets of environment variables to try on AVX-512, for releases that do not know a newer processor and choose slower kernels. */
  environments?: readonly Readonly<Record<string, string>>[];
}

/** A flag that links a library by its file, so that no development package is needed; by its name where there is no GNU linker. */
const linked = (file: string, name: string): string => (process.platform === 'linux' ? `-l:${file}` : `-l${name}`);

export const LIBRARIES: readonly BlasLibrary[] = [
  {
    ...{ name: 'OpenBLAS', product: 'cblas.h', flags: [linked('libopenblas.so.0', 'openblas')] },
    packages: 'libopenblas0-pthread (Debian, Ubuntu), openblas (Fedora, conda, brew)',
    environments: [{ OPENBLAS_CORETYPE: 'SkylakeX' }],
  },
  {
    ...{ name: 'BLIS', product: 'cblas.h', flags: [linked('libblis.so.4', 'blis')] },
    packages: 'libblis4-pthread or libblis4-openmp (Debian, Ubuntu), blis (Fedora, conda)',
    environments: [{ BLIS_ARCH_TYPE: 'skx' }],
  },
  {
    ...{ name: 'oneDNN', product: 'onednn.h', flags: ['-fopenmp', '-ldnnl'] },
    packages: 'libdnnl-dev (Debian, Ubuntu), onednn-devel (Fedora), onednn (conda)',
  },
  {
    ...{ name: 'MKL', product: 'cblas.h', flags: [linked('libmkl_rt.so.2', 'mkl_rt')] },
    packages: 'intel-oneapi-mkl (Intel’s apt repository), mkl (conda, pip); or --library path/to/libmkl_rt.so.2',
  },
];

/** A library given by its file, which has the C interface of BLAS. */
export function libraryAt(file: string): BlasLibrary {
  const full = path.resolve(file);
  const name = path.basename(file).replace(/^lib|\.so.*$|\.dylib$/g, '');
  return { name, product: 'cblas.h', flags: [full, `-Wl,-rpath,${path.dirname(full)}`], packages: full };
}

const NATIVE = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';
const FOLDER = path.join(__dirname, '..', '..', '..', 'native', 'baselines', 'library');
const compiler = (): string => process.env['CXX'] ?? 'c++';

/** Runs the compiler. Returns its output if it fails, else null. @throws if there is no compiler */
async function compile(args: readonly string[]): Promise<string | null> {
  const running = spawn(compiler(), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  running.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const [status] = (await once(running, 'close').catch((error: Error) => {
    throw new Error(`bench blas needs a C++ compiler: ${compiler()}: ${error.message} (set CXX to choose another)`);
  })) as [number | null];
  return status === 0 ? null : output;
}

/** Why a library cannot be used, or null. */
async function whyMissing({ flags, product }: BlasLibrary, folder: string): Promise<string | null> {
  const includes = product === 'onednn.h' ? ['-include', 'dnnl.hpp'] : [];
  const probe = ['-std=c++17', '-shared', '-fPIC', '-x', 'c++', ...includes, '/dev/null', '-x', 'none', ...flags];
  return compile([...probe, '-o', path.join(folder, 'probe.so')]);
}

/**
 * Compiles the product of a library as a plugin for each op, into `folder/<op>/<name>.so`.
 * @returns the files by op; null if the library is not installed
 * @throws the compiler's output if the library is there, and its product does not compile
 */
export async function buildLibrary(library: BlasLibrary, folder: string): Promise<Map<string, string> | null> {
  if ((await whyMissing(library, folder)) !== null) return null;
  const files = new Map<string, string>();
  for (const op of LIBRARY_OPS) {
    const file = path.join(folder, op, `${library.name}.so`);
    mkdirSync(path.dirname(file), { recursive: true });
    const options = ['-O3', NATIVE, '-std=c++17', '-fPIC', '-shared', '-pthread', `-I${INCLUDE}`];
    const defines = { MORPHMLP_LIBRARY: library.product, MORPHMLP_OP: op, MORPHMLP_FLAGS: `-O3 ${NATIVE}` };
    const defined = Object.entries(defines).map(([name, text]) => `-D${name}="${text}"`);
    const problem = await compile([...options, ...defined, path.join(FOLDER, 'fc.cc'), ...library.flags, '-o', file]);
    if (problem !== null)
      throw new Error(`${library.name}: its product for ${op} does not compile:\n${problem.trim()}`);
    files.set(op, file);
  }
  return files;
}
