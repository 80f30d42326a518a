import { native } from '../../core/native';
import { instructionSet, gemmNote, threads } from '../../core/runtime';
import { getDefaultDevice } from '../../core/tensor';

const gpu = (): string => native.cudaDevice() + gemmNote();

/** Description of the default device: `cpu (avx512, 2 threads)`, or `cuda` with the GPU. */
export function deviceText(): string {
  if (getDefaultDevice() === 'cuda') return `cuda (${gpu()})`;
  return `cpu (${instructionSet()}, ${threads()} threads)`;
}

/** The device for a report, with the plugins in use. */
export function deviceFacts(plugins: readonly string[]): { name: string; kernels?: string; threads?: number } {
  if (getDefaultDevice() === 'cuda') return { name: 'cuda', kernels: gpu() };
  return { name: 'cpu', kernels: [instructionSet(), ...plugins].join(' + '), threads: threads() };
}
