/** The compiler flags that stand beside every measurement. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { native } from '../core/native';
import { instructionSet, gemmNote } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';

/** What `native/sources.cjs` answers. */
interface Sources {
  flags(isa?: string): string[];
}

// Of the flags, those that change what is computed how fast.
const matters = (flag: string): boolean => /^-(O|m|f(?!PIC|visibility|exceptions)|std)/.test(flag);

function flagsOf(isa?: string): string[] {
  const require = createRequire(path.join(__dirname, 'flags.js'));
  return (require('../../native/sources.cjs') as Sources).flags(isa).filter(matters);
}

const onGpu = () => getDefaultDevice() === 'cuda';

/** Flags of the sources that are compiled once, for the least CPU, or for the GPU: the naive kernels. */
export const baseFlags = (): string => (onGpu() ? native.cudaFlags() : flagsOf().join(' '));

/** Flags of our kernels for the instruction set that runs, or for the GPU. */
export const kernelFlags = (): string =>
  onGpu() ? native.cudaFlags() + gemmNote() : [...flagsOf(), ...flagsOf(instructionSet())].join(' ');
