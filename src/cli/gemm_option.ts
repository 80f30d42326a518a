import { Option, type Command } from 'commander';
import type { GemmBackend } from '../core/native';

const has = (command: Command, flag: string): boolean => command.options.some(({ long }) => long === flag);

/** Adds `--gemm` to each command below `command` that has `--device`, and applies it before the command runs. */
export function addGemmOption(command: Command): void {
  for (const child of command.commands) addGemmOption(child);
  if (!has(command, '--device') || has(command, '--gemm')) return;
  const help = 'bf16 products on a GPU: mma.sync, or TMA and wgmma (Hopper)';
  command.addOption(new Option('--gemm <name>', help).choices(['mma', 'wgmma']).default(undefined, 'mma'));
  command.hook('preAction', () => applyGemm(command.opts()));
}

/** Selects the instructions of bf16 products. @throws if --device is not cuda, or the device lacks them */
async function applyGemm({ gemm, device }: { gemm?: GemmBackend; device?: string }): Promise<void> {
  if (!gemm) return;
  if (device !== 'cuda') throw new Error(`--gemm ${gemm}: expected --device cuda, got ${device ?? 'no --device'}`);
  const { requireDevice, useGemm } = await import('../core/runtime.js');
  requireDevice('cuda');
  try {
    useGemm(gemm);
  } catch (error) {
    throw new Error(`--gemm ${gemm}: ${(error as Error).message}`);
  }
}
