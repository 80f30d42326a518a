import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { instructionSet, threads } from '../src/runtime';

/** What every results file says about where and from what it came. */
export function machine(): Record<string, string | number | undefined> {
  return {
    cpu: os.cpus()[0]?.model.trim(),
    cores: os.cpus().length,
    threads: threads(),
    kernels: instructionSet(),
    node: process.version,
    commit: execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*']).toString().trim(),
    date: new Date().toISOString(),
  };
}

/** The middle one of some figures. */
export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
