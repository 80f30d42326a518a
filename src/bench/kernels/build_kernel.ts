/** Compiles a kernel's source into a library that the program loads. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** What kernels are written in. */
export type Language = 'c++' | 'cuda';

/** The folder of `morphmlp_kernel.h`. */
export const INCLUDE = path.join(__dirname, '..', '..', '..', 'include');

const NATIVE = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';
const OPTIONS: Record<Language, string[]> = {
  'c++': ['-O3', NATIVE, '-std=c++17', '-fPIC', '-shared', '-pthread'],
  // Code for Ampere and later: the driver compiles the intermediate form for what it finds.
  cuda: ['-O3', '-std=c++17', '-gencode', 'arch=compute_80,code=[sm_80,compute_80]', '-Xcompiler', '-fPIC', '-shared'],
};

/** The language of a source, by its ending. @throws for another ending */
export function languageOf(file: string): Language {
  const ending = path.extname(file);
  if (ending === '.cu') return 'cuda';
  if (['.cc', '.cpp', '.cxx', '.c++'].includes(ending)) return 'c++';
  throw new Error(`${file}: expected C++ (.cc, .cpp, .cxx) or CUDA (.cu)`);
}

/** The library that a source is compiled into: beside it, under its name. */
export const libraryOf = (file: string): string => path.join(path.dirname(file), `${path.parse(file).name}.so`);

const compilerOf = (language: Language): string =>
  language === 'cuda' ? (process.env['NVCC'] ?? 'nvcc') : (process.env['CXX'] ?? 'c++');

/** Compiler and arguments. The flags are told to the library, and stand beside all that is measured of it. */
export function buildCommand(
  file: string,
  { include = INCLUDE, extra = [] }: { include?: string; extra?: readonly string[] } = {},
): string[] {
  const language = languageOf(file);
  const compiler = compilerOf(language);
  const flags = [...OPTIONS[language], ...extra];
  const told = [compiler, ...flags.filter((flag) => !/^-(fPIC|shared|pthread|Xcompiler)$/.test(flag))].join(' ');
  return [compiler, ...flags, `-I${include}`, `-DMORPHMLP_FLAGS="${told}"`, file, '-o', libraryOf(file)];
}

/** A command as one could type it. */
export const shown = (command: readonly string[]): string =>
  command.map((word) => (/["[\]]/.test(word) ? `'${word}'` : word.includes(' ') ? `"${word}"` : word)).join(' ');

/** Compiles; what the compiler says goes to standard error. Returns the library. @throws when it fails or is not there */
export function buildKernel(file: string, extra: readonly string[]): string {
  const [compiler, ...args] = buildCommand(file, { extra }) as [string, ...string[]];
  const { error, status } = spawnSync(compiler, args, { stdio: ['ignore', 2, 2] });
  if (error)
    throw new Error(
      `${compiler}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such compiler' : error.message} (CXX and NVCC name others)`,
    );
  if (status !== 0) throw new Error(`${file}: ${compiler} ended with status ${status}`);
  return libraryOf(file);
}
