/** MPI and NCCL libraries of this machine, which are loaded at run time. */
import type { Launch } from './launch';

/** File names by which the dynamic linker finds each kind: the versioned names of their packages, then MPI 5's common ABI. */
const NAMES = {
  openmpi: ['libmpi.so.40', 'libmpi.40.dylib'],
  mpich: ['libmpich.so.12', 'libmpi.so.12', 'libmpi.12.dylib'],
  abi: ['libmpi_abi.so.0', 'libmpi_abi.so', 'libmpi_abi.dylib'],
} as const;

/** A library that was looked for: its version, or the reason why it cannot be loaded. */
export type FoundLibrary = { library: string; version: string } | { library: string; missing: string };

/** Libraries to try for a launcher, the likeliest first. `MORPHMLP_MPI` names the only one. */
export function libraryNames(mpi: Launch['mpi'], env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const { MORPHMLP_MPI: only, PMIX_RANK: pmix } = env;
  if (only) return [only];
  const openFirst = mpi === 'openmpi' || (mpi === 'any' && pmix !== undefined);
  const { openmpi, mpich, abi } = NAMES;
  const names = openFirst ? [...openmpi, ...abi, ...mpich] : [...mpich, ...abi, ...openmpi];
  const suffix = process.platform === 'darwin' ? 'dylib' : '.so';
  return names.filter((name) => name.includes(suffix));
}

/** The addon's `mpiDescribe` or `ncclDescribe`; an argument, so that `doctor` can do without an addon. */
type Describe = (library: string) => string;

/** Looks for a library without connecting. */
export function describeLibrary(library: string, describe: Describe): FoundLibrary {
  try {
    return { library, version: describe(library) };
  } catch (error) {
    return { library, missing: (error as Error).message.replace(/^(mpi|nccl)Describe: /, '') };
  }
}

/** The MPI libraries that can be loaded here, each once. */
export function installedLibraries(describe: Describe): { library: string; version: string }[] {
  return libraryNames('any').flatMap((name) => {
    const found = describeLibrary(name, describe);
    return 'version' in found ? [found] : [];
  });
}

/** The first library of a launcher's that can be loaded. @throws with what was tried */
export function findLibrary({ launcher, mpi, size }: Launch, describe: Describe): string {
  const tried = libraryNames(mpi).map((name) => describeLibrary(name, describe));
  const found = tried.find((one) => 'version' in one);
  if (found) return found.library;
  const missing = tried.flatMap((one) => ('missing' in one ? [`  ${one.missing}`] : []));
  throw new Error(
    `launched by ${launcher} as one of ${size}, but no MPI library can be loaded on this host; install that of the launcher ` +
      `(Debian: openmpi-bin or mpich), name it by MORPHMLP_MPI=/path/to/libmpi.so, or give --distributed off for ` +
      `${size} separate runs:\n${missing.join('\n')}`,
  );
}

/** The NCCL library of this machine, or the reason why it cannot be loaded. `MORPHMLP_NCCL` names another file. */
export function describeNccl(describe: Describe, env: NodeJS.ProcessEnv = process.env): FoundLibrary {
  return describeLibrary(env['MORPHMLP_NCCL'] || 'libnccl.so.2', describe);
}

/** The NCCL library. @throws with the reason if it cannot be loaded */
export function findNccl(describe: Describe): { library: string; version: string } {
  const found = describeNccl(describe);
  if ('version' in found) return found;
  throw new Error(
    'several ranks on --device cuda need NCCL, which cannot be loaded on this host; install it (package libnccl2 of NVIDIA, or ' +
      `pip's nvidia-nccl) or name it by MORPHMLP_NCCL=/path/to/libnccl.so.2: ${found.missing}`,
  );
}
