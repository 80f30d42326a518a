/** Processors and GPUs that the ranks of a host may use. */
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** Numbers of a list such as 0-3,8. */
export function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((range) => range !== '')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number) as [number, number?];
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/** Processors this process may run on (Linux: its affinity). */
export function ownProcessors(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (list !== undefined) return parseCpuList(list);
  } catch {
    // no /proc
  }
  return Array.from({ length: os.availableParallelism() }, (_, i) => i);
}

/** Host and processors of a rank. */
export interface Seat {
  host: string;
  processors: readonly number[];
  /** Processors of the host. */
  total: number;
}

const meet = (a: readonly number[], b: readonly number[]): boolean => a.some((cpu) => b.includes(cpu));

/** Number of ranks on the host of rank `rank`, and of those that share its processors, itself included. */
export function neighbours(seats: readonly Seat[], rank: number): { local: number; sharing: number } {
  const own = seats[rank]!;
  const local = seats.filter(({ host }) => host === own.host);
  return { local: local.length, sharing: local.filter((s) => meet(s.processors, own.processors)).length };
}

/** Threads of a rank: an equal share of the processors that it may use, at most `cores` of them. At least 1. */
export function threadShare(seats: readonly Seat[], rank: number, cores: number): number {
  const { sharing } = neighbours(seats, rank);
  return Math.max(1, Math.floor(Math.min(cores, seats[rank]!.processors.length) / sharing));
}

/** Returns one sentence for each host whose ranks are bound to fewer processors than it has. */
export function unusedProcessors(seats: readonly Seat[]): string[] {
  return [...new Set(seats.map(({ host }) => host))].flatMap((host) => {
    const local = seats.filter((seat) => seat.host === host);
    const used = new Set(local.flatMap(({ processors }) => processors)).size;
    const total = local[0]!.total;
    if (used >= total) return [];
    return [
      `the ranks on ${host} may use ${used} of its ${total} processors: if the launcher has bound them, give it ` +
        '--bind-to none (mpirun) or --cpus-per-task (srun)',
    ];
  });
}

/**
 * `CUDA_VISIBLE_DEVICES` of a rank, which has a GPU of its own: the LOCAL_RANK-th of those that it sees, or that of its place among
 * the ranks of its host. Null leaves the variable as it is: the rank is alone there, or the launcher has given it one GPU.
 * @throws if there are fewer GPUs than ranks
 */
export function visibleGpu(seats: readonly Seat[], rank: number, env: NodeJS.ProcessEnv): string | null {
  const { host } = seats[rank]!;
  const here = seats.flatMap((seat, other) => (seat.host === host ? [other] : []));
  const { LOCAL_RANK: given, CUDA_VISIBLE_DEVICES: list } = env;
  const visible = list?.split(',').filter((name) => name !== '');
  if (here.length === 1 || visible?.length === 1) return null;
  const own = given === undefined ? here.indexOf(rank) : Number(given);
  const gpu = visible ? visible[own] : String(own);
  if (gpu !== undefined && Number.isInteger(own)) return gpu;
  throw new Error(
    `rank ${rank} is number ${own} on ${host}, where CUDA_VISIBLE_DEVICES has ${visible?.length ?? 0} GPUs (${list}): start one rank for each`,
  );
}
