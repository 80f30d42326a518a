/** Compiles the source of a plugin kernel into a shared library. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The languages of a kernel's source. */
export const LANGUAGES = ['c++', 'c', 'rust', 'cuda', 'asm'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The folder that contains `morphmlp_kernel.h`. */
export const INCLUDE = path.join(__dirname, '..', '..', '..', 'include');

const NATIVE = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';
const SHARED = ['-fPIC', '-shared', '-pthread'];

/** How a language is compiled. */
interface Toolchain {
  extensions: readonly string[];
  compiler: string;
  /** The environment variable that names another compiler. */
  variable: string;
  options: readonly string[];
  /** What to install if the compiler is missing. */
  install: string;
}

const TOOLCHAINS: Record<Language, Toolchain> = {
  'c++': {
    ...{ extensions: ['.cc', '.cpp', '.cxx', '.c++'], compiler: 'c++', variable: 'CXX' },
    ...{ options: ['-O3', NATIVE, '-std=c++17', ...SHARED], install: 'apt-get install g++' },
  },
  c: {
    ...{ extensions: ['.c'], compiler: 'cc', variable: 'CC' },
    ...{ options: ['-O3', NATIVE, '-std=c11', ...SHARED], install: 'apt-get install gcc' },
  },
  rust: {
    ...{ extensions: ['.rs'], compiler: 'rustc', variable: 'RUSTC' },
    options: ['--edition', '2021', '-C', 'opt-level=3', '-C', 'target-cpu=native', '--crate-type', 'cdylib'],
    install: 'https://rustup.rs; 1.77 or later',
  },
  cuda: {
    ...{ extensions: ['.cu'], compiler: 'nvcc', variable: 'NVCC' },
    // sm_80 code and PTX: the driver compiles the PTX for later GPUs.
    options: [
      '-O3',
      '-std=c++17',
      '-gencode',
      'arch=compute_80,code=[sm_80,compute_80]',
      '-Xcompiler',
      '-fPIC',
      '-shared',
    ],
    install: 'the CUDA toolkit',
  },
  // The C compiler runs the preprocessor, the assembler and the linker.
  asm: { extensions: ['.S'], compiler: 'cc', variable: 'CC', options: SHARED, install: 'apt-get install gcc' },
};

/** Determines the language by the file extension. @throws if the extension is unknown */
function languageOf(file: string): Language {
  const ending = path.extname(file);
  const language = LANGUAGES.find((name) => TOOLCHAINS[name].extensions.includes(ending));
  if (!language)
    throw new Error(`${file}: expected C++ (.cc, .cpp, .cxx), C (.c), Rust (.rs), CUDA (.cu) or assembly (.S)`);
  if (language === 'asm' && process.arch !== 'x64' && /\.intel_syntax/.test(readFileSync(file, 'utf8')))
    throw new Error(`${file}: it is assembly for x86-64, and this machine is ${process.arch}`);
  return language;
}

/** The path of the compiled library: next to the source, with the same base name. */
const libraryOf = (file: string): string => path.join(path.dirname(file), `${path.parse(file).name}.so`);

const compilerOf = ({ variable, compiler }: Toolchain): string => process.env[variable] ?? compiler;

/** The flags that the library reports with every measurement. */
function reportedFlags(toolchain: Toolchain, extra: readonly string[]): string {
  const own = [...toolchain.options, ...extra].filter((flag) => !/^-(fPIC|shared|pthread|Xcompiler)$/.test(flag));
  return [compilerOf(toolchain), ...own].join(' ');
}

/** The compiler command. The flags are also defined as MORPHMLP_FLAGS; for Rust the environment has them. */
export function buildCommand(
  file: string,
  { include = INCLUDE, extra = [] }: { include?: string; extra?: readonly string[] } = {},
): string[] {
  const language = languageOf(file);
  const toolchain = TOOLCHAINS[language];
  const defined = [`-I${include}`, `-DMORPHMLP_FLAGS="${reportedFlags(toolchain, extra)}"`];
  const math = language === 'c' ? ['-lm'] : [];
  const flags = [...toolchain.options, ...extra, ...(language === 'rust' ? [] : defined)];
  return [compilerOf(toolchain), ...flags, file, ...math, '-o', libraryOf(file)];
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
  const toolchain = TOOLCHAINS[languageOf(file)];
  const env = { ...process.env, MORPHMLP_FLAGS: reportedFlags(toolchain, extra) };
  const running = spawn(compiler, args, { stdio: ['ignore', 2, 2], signal, env });
  const [status] = (await once(running, 'close').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? `compiler not found (${toolchain.install})` : error.message;
    throw new Error(`${compiler}: ${why}; ${toolchain.variable} names another`, { cause: error });
  })) as [number | null];
  if (status !== 0)
    throw new Error(`${file}: ${compiler} ${status === null ? 'was ended' : `exited with status ${status}`}`);
  return libraryOf(file);
}
