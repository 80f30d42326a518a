import pc from 'picocolors';
import type { Device } from '../../core/native';
import { setThreads, threads } from '../../core/runtime';
import { setDefaultDevice } from '../../core/tensor';
import { connect } from '../../distributed/connect';
import type { Mode } from '../../distributed/launch';
import { neighbours, threadShare, unusedProcessors, visibleGpu } from '../../distributed/processors';
import type { Ranks } from '../../distributed/ranks';

/** Seconds that a rank waits for another: longer than any save or report. */
const RANK_TIMEOUT = 300;

/** Seconds that ranks wait for each other where they share out files, of which one may take long. */
export const FILE_TIMEOUT = 3600;

/** Options of a command line, absent or undefined where they are not given. */
export interface JoinOptions {
  mode?: Mode | undefined;
  /** Seconds. */
  timeout?: number | undefined;
}

/**
 * Connects to the other ranks that a launcher has started, if there are any. Only the main one prints from here on; what others have
 * to say carries their name.
 */
export function joinRanks({ mode = 'auto', timeout = RANK_TIMEOUT }: JoinOptions): Ranks {
  const ranks = connect({ mode, timeout });
  if (ranks.isMain) {
    if (ranks.size > 1) for (const note of unusedProcessors(ranks.seats)) console.error(pc.yellow(`note: ${note}`));
    return ranks;
  }
  console.log = () => undefined;
  for (const method of ['error', 'warn'] as const) {
    const print = console[method].bind(console);
    console[method] = (...values: unknown[]) => print(`${ranks.label}:`, ...values);
  }
  return ranks;
}

/**
 * Sets the default device: with `cuda`, each rank of a host uses a GPU of its own.
 * @throws if the device is unavailable, or the ranks cannot work on it as they were launched
 */
export function useDevice(ranks: Ranks, device: Device, mode: Mode = 'auto'): void {
  if (ranks.size > 1) checkPairing(ranks, device, mode);
  const gpu = ranks.size > 1 && device === 'cuda' ? visibleGpu(ranks.seats, ranks.rank, process.env) : null;
  if (gpu !== null) process.env['CUDA_VISIBLE_DEVICES'] = gpu; // before CUDA is loaded
  try {
    setDefaultDevice(device);
  } catch (error) {
    if (gpu === null) throw error;
    const { message } = error as Error;
    throw new Error(`${message} (with CUDA_VISIBLE_DEVICES=${gpu}: start one rank for each GPU)`, { cause: error });
  }
}

function checkPairing({ kind }: Ranks, device: Device, mode: Mode): void {
  if (device === 'cuda' && mode === 'mpi')
    throw new Error(
      '--distributed mpi sums gradients on CPUs: with --device cuda give --distributed nccl, or leave it out',
    );
  if (device === 'cpu' && mode === 'nccl')
    throw new Error('--distributed nccl sums gradients on GPUs: give --device cuda, or leave --distributed out');
  if (device === 'cpu' && kind === 'tcp')
    throw new Error(
      'the variables of torchrun (WORLD_SIZE, RANK) serve NCCL, which needs --device cuda: give it, or start with mpirun -n N or srun -n N',
    );
}

/** The share of a host's workers that a rank has. At least 1. */
export const workersHere = ({ seats, rank }: Ranks, workers: number): number =>
  Math.max(1, Math.floor(workers / neighbours(seats, rank).local));

/** Sets the threads of this rank: as many as were asked for (0: not), or its share of the host. */
export function shareThreads(ranks: Ranks, asked = 0): void {
  if (asked > 0) setThreads(asked);
  else if (ranks.size > 1) setThreads(threadShare(ranks.seats, ranks.rank, threads()));
}
