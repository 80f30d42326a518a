/** The compiler flags recorded with every measurement. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { native } from '../core/native';
import { instructionSet, gemmNote } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';

/** The exports of `native/sources.cjs` used here. */
interface Sources {
  flags(isa?: string): string[];
}

// Keeps the flags that affect speed or results.
const matters = (flag: string): boolean => /^-(O|m|f(?!PIC|visibility|exceptions)|std)/.test(flag);

function flagsOf(isa?: string): string[] {
  const require = createRequire(path.join(__dirname, 'flags.js'));
  return (require('../../native/sources.cjs') as Sources).flags(isa).filter(matters);
}

const onGpu = () => getDefaultDevice() === 'cuda';

/** Flags of the naive kernels: of sources compiled once for the baseline CPU, or of the GPU sources. */
export const baseFlags = (): string => (onGpu() ? native.cudaFlags() : flagsOf().join(' '));

/** Flags of our kernels for the instruction set in use, or for the GPU. */
export const kernelFlags = (): string =>
  onGpu() ? native.cudaFlags() + gemmNote() : [...flagsOf(), ...flagsOf(instructionSet())].join(' ');
