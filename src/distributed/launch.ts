/** How this process was launched: as one of several ranks, by which launcher. */

/** A launcher's word on this process. */
export interface Launch {
  launcher: string;
  /** Kind of MPI that the launcher belongs to: that library is tried first. */
  mpi: 'openmpi' | 'mpich' | 'any' | 'none';
  size: number;
  /** Rank, if the launcher says it. */
  rank: number | null;
}

/** Values of `--distributed`. */
export type Mode = 'auto' | 'off' | 'mpi' | 'nccl';

/** What carries messages of ranks: MPI, or TCP to rank 0 where the launcher is not MPI's. */
export type LinkKind = 'mpi' | 'tcp';

/** Where rank 0 of a job listens, and who this process is. */
export interface Rendezvous {
  host: string;
  port: number;
  rank: number;
  size: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of launchers, in order of precedence: inside a Slurm allocation `mpirun` starts its own daemons by srun, whose
 * variables say nothing about ranks, and so may torchrun be started. SLURM_NTASKS is not here: sbatch sets it for a script that runs once.
 */
const LAUNCHERS: readonly { launcher: string; mpi: Launch['mpi']; size: string; rank: string; only?: string }[] = [
  { launcher: 'torchrun', mpi: 'none', size: 'WORLD_SIZE', rank: 'RANK', only: 'TORCHELASTIC_RUN_ID' },
  { launcher: 'mpirun (Open MPI)', mpi: 'openmpi', size: 'OMPI_COMM_WORLD_SIZE', rank: 'OMPI_COMM_WORLD_RANK' },
  { launcher: 'mpirun_rsh (MVAPICH)', mpi: 'mpich', size: 'MV2_COMM_WORLD_SIZE', rank: 'MV2_COMM_WORLD_RANK' },
  { launcher: 'mpiexec (MPICH)', mpi: 'mpich', size: 'PMI_SIZE', rank: 'PMI_RANK' },
  { launcher: 'srun', mpi: 'any', size: 'SLURM_STEP_NUM_TASKS', rank: 'SLURM_PROCID' },
  { launcher: 'torchrun', mpi: 'none', size: 'WORLD_SIZE', rank: 'RANK' },
];

/** Finds the launcher of this process; null if it was started alone. */
export function detectLaunch(env: Environment = process.env): Launch | null {
  for (const { launcher, mpi, size, rank, only } of LAUNCHERS) {
    const ranks = Number(env[size]);
    if (env[size] === undefined || (only !== undefined && env[only] === undefined)) continue;
    if (!Number.isInteger(ranks) || ranks < 1) continue;
    const own = env[rank] === undefined ? NaN : Number(env[rank]);
    return { launcher, mpi, size: ranks, rank: Number.isInteger(own) ? own : null };
  }
  return null;
}

const START = 'start with mpirun -n N or srun -n N';

/**
 * What connects this process to others; null if nothing does. With `off` nothing does, however it was launched.
 * @throws if it was launched as one of several in a way that cannot be served, or several are asked for and it was started alone
 */
export function linkFor(mode: Mode, launch: Launch | null): LinkKind | null {
  if (mode === 'off') return null;
  const several = launch !== null && launch.size > 1;
  if (!several && mode === 'auto') return null;
  if (!several)
    throw new Error(`--distributed ${mode}: this process was started alone; ${START}, or leave the option out`);
  if (launch.mpi !== 'none') return 'mpi';
  if (mode === 'mpi')
    throw new Error(
      `launched by ${launch.launcher} as one of ${launch.size}: its variables (WORLD_SIZE, RANK) are not those of an MPI; ${START}, ` +
        'or give --distributed nccl and --device cuda',
    );
  return 'tcp';
}

/** Where the ranks of a launcher that is not MPI's meet. @throws if one of its variables is missing or wrong */
export function rendezvousOf({ launcher, size }: Launch, env: Environment = process.env): Rendezvous {
  const number = (name: string, least: number, most: number): number => {
    const value = Number(env[name] ?? NaN);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(
      `launched by ${launcher} as one of ${size}: expected ${name} from ${least} to ${most}, got ${env[name] ?? 'nothing'}`,
    );
  };
  const host = env['MASTER_ADDR'];
  if (!host)
    throw new Error(
      `launched by ${launcher} as one of ${size}: MASTER_ADDR is missing, the address of the host of rank 0`,
    );
  // The agents of torchrun may listen at MASTER_PORT themselves.
  const shift = env['TORCHELASTIC_USE_AGENT_STORE'] === 'True' ? 1 : 0;
  return { host, port: number('MASTER_PORT', 1, 65534) + shift, rank: number('RANK', 0, size - 1), size };
}

/** @throws if a command that runs as one process was launched as one of several */
export function refuseSeveral(command: string, env: Environment = process.env): void {
  const launch = detectLaunch(env);
  if (launch === null || launch.size === 1) return;
  throw new Error(
    `morphmlp ${command} runs as one process, but was launched by ${launch.launcher} as one of ${launch.size}: ` +
      'start it without the launcher',
  );
}
