import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native, type CudaFacts, type Device } from '../core/native';
import { instructionSet, threads } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';
import { packageVersion } from '../core/version';

/** The machine and build that produced a results file. Figures of two files are comparable only if these agree. */
export interface Machine {
  device: Device;
  /** The GPU, if the device is one, with its driver version (null if the system does not expose it). */
  gpu?: CudaFacts & { driver: string | null };
  /** The GEMM backend on a GPU: `own`, or `own, bf16 by wgmma`; cuBLASLt in older files. */
  products?: string;
  cpu: string;
  cores: number;
  threads: number;
  /** The instruction set of our kernels; on a GPU, the architectures for which they were compiled. */
  kernels: string;
  node: string;
  version: string;
  /** The commit of the checkout; null for an installed package. */
  commit: string | null;
  date: string;
}

const root = path.join(__dirname, '..', '..');

function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  try {
    // A package in node_modules is inside its user's repository, whose commit is unrelated.
    return path.resolve(git('rev-parse', '--show-toplevel')) === path.resolve(root)
      ? git('describe', '--always', '--dirty', '--exclude', '*')
      : null;
  } catch {
    return null;
  }
}

/** The version of the NVIDIA driver, which the CUDA API does not expose. */
function driverVersion(): string | null {
  try {
    return /Kernel Module\D*([\d.]+)/.exec(readFileSync('/proc/driver/nvidia/version', 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Describes this machine and build for a results file, with the current default device. */
export function machine(): Machine {
  const device = getDefaultDevice();
  return {
    device,
    ...(device === 'cuda'
      ? {
          gpu: { ...native.cudaFacts(), driver: driverVersion() },
          products: native.cudaGemm() === 'mma' ? 'own' : 'own, bf16 by wgmma',
        }
      : {}),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    threads: threads(),
    kernels: device === 'cuda' ? native.cudaCompiled() : instructionSet(),
    node: process.version,
    version: packageVersion(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}
