import { execFileSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { instructionSet, threads } from '../runtime';
import { packageVersion } from '../version';

/** Where and from what a results file came: figures of two files compare only where these agree. */
export interface Machine {
  device: 'cpu';
  cpu: string;
  cores: number;
  threads: number;
  /** The instruction set of our kernels. */
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

/** What every results file says about where and from what it came. */
export function machine(): Machine {
  return {
    device: 'cpu',
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    threads: threads(),
    kernels: instructionSet(),
    node: process.version,
    version: packageVersion(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}
