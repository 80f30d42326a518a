/** Compiles the source of a plugin kernel into a shared library. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** The language of a kernel's source. */
export type Language = 'c++' | 'cuda';

/** The folder that contains `morphmlp_kernel.h`. */
export const INCLUDE = path.join(__dirname, '..', '..', '..', 'include');

const NATIVE = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';
const OPTIONS: Record<Language, string[]> = {
  'c++': ['-O3', NATIVE, '-std=c++17', '-fPIC', '-shared', '-pthread'],
  // sm_80 code and PTX: the driver compiles the PTX for later GPUs.
  cuda: ['-O3', '-std=c++17', '-gencode', 'arch=compute_80,code=[sm_80,compute_80]', '-Xcompiler', '-fPIC', '-shared'],
};

/** Determines the language by the file extension. @throws if the extension is unknown */
function languageOf(file: string): Language {
  const ending = path.extname(file);
  if (ending === '.cu') return 'cuda';
  if (['.cc', '.cpp', '.cxx', '.c++'].includes(ending)) return 'c++';
  throw new Error(`${file}: expected C++ (.cc, .cpp, .cxx) or CUDA (.cu)`);
}

/** The path of the compiled library: next to the source, with the same base name. */
const libraryOf = (file: string): string => path.join(path.dirname(file), `${path.parse(file).name}.so`);

const compilerOf = (language: Language): string =>
  language === 'cuda' ? (process.env['NVCC'] ?? 'nvcc') : (process.env['CXX'] ?? 'c++');

/** The compiler command. The flags are also defined as MORPHMLP_FLAGS, so that the library reports them with every measurement. */
export function buildCommand(
  file: string,
  { include = INCLUDE, extra = [] }: { include?: string; extra?: readonly string[] } = {},
): string[] {
  const language = languageOf(file);
  const compiler = compilerOf(language);
  const flags = [...OPTIONS[language], ...extra];
  const reported = [compiler, ...flags.filter((flag) => !/^-(fPIC|shared|pthread|Xcompiler)$/.test(flag))].join(' ');
  return [compiler, ...flags, `-I${include}`, `-DMORPHMLP_FLAGS="${reported}"`, file, '-o', libraryOf(file)];
}

/** Formats a command for a shell. */
export const formatCommand = (command: readonly string[]): string =>
  command.map((word) => (/["[\]]/.test(word) ? `'${word}'` : word.includes(' ') ? `"${word}"` : word)).join(' ');

/**
 * Compiles a kernel and returns the library's path. Compiler output goes to standard error; `signal` ends the compiler.
 * @throws if the compiler is missing or fails
 */
export async function buildKernel(file: string, extra: readonly string[], signal?: AbortSignal): Promise<string> {
  const [compiler, ...args] = buildCommand(file, { extra }) as [string, ...string[]];
  const running = spawn(compiler, args, { stdio: ['ignore', 2, 2], signal });
  const [status] = (await once(running, 'close').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'compiler not found' : error.message;
    throw new Error(`${compiler}: ${why} (set CXX or NVCC to choose another)`, { cause: error });
  })) as [number | null];
  if (status !== 0)
    throw new Error(`${file}: ${compiler} ${status === null ? 'was ended' : `exited with status ${status}`}`);
  return libraryOf(file);
}
