import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native, type CudaFacts, type Device } from '../core/native';
import { instructionSet, threads } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';
import { packageVersion } from '../core/version';

/** Where and from what a results file came: figures of two files compare only where these agree. */
export interface Machine {
  device: Device;
  /** Where the device is a GPU: what it is, and the version of its driver where the system tells it. */
  gpu?: CudaFacts & { driver: string | null };
  /** On a GPU: `own`, or `own, bf16 by wgmma`; older files name cuBLASLt here. */
  products?: string;
  cpu: string;
  cores: number;
  threads: number;
  /** The instruction set of our kernels; on a GPU, the architectures they were compiled for. */
  kernels: string;
  node: string;
  version: string;
  /** The commit of a checkout; null for an installed package. */
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
    // A package in node_modules lies inside its user's repository, whose commit says nothing.
    return path.resolve(git('rev-parse', '--show-toplevel')) === path.resolve(root)
      ? git('describe', '--always', '--dirty', '--exclude', '*')
      : null;
  } catch {
    return null;
  }
}

/** The version of the NVIDIA driver, which CUDA itself does not tell. */
function driverVersion(): string | null {
  try {
    return /Kernel Module\D*([\d.]+)/.exec(readFileSync('/proc/driver/nvidia/version', 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** What every results file says about where and from what it came: of the device where tensors are made now. */
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
