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
export type Mode = 'auto' | 'off' | 'mpi';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of launchers, in order of precedence: inside a Slurm allocation `mpirun` starts its own daemons by srun, whose
 * variables say nothing about ranks. SLURM_NTASKS is not here: sbatch sets it for a script that runs once.
 */
const LAUNCHERS = [
  { launcher: 'mpirun (Open MPI)', mpi: 'openmpi', size: 'OMPI_COMM_WORLD_SIZE', rank: 'OMPI_COMM_WORLD_RANK' },
  { launcher: 'mpirun_rsh (MVAPICH)', mpi: 'mpich', size: 'MV2_COMM_WORLD_SIZE', rank: 'MV2_COMM_WORLD_RANK' },
  { launcher: 'mpiexec (MPICH)', mpi: 'mpich', size: 'PMI_SIZE', rank: 'PMI_RANK' },
  { launcher: 'srun', mpi: 'any', size: 'SLURM_STEP_NUM_TASKS', rank: 'SLURM_PROCID' },
  { launcher: 'torchrun', mpi: 'none', size: 'WORLD_SIZE', rank: 'RANK' },
] as const;

/** Finds the launcher of this process; null if it was started alone. */
export function detectLaunch(env: Environment = process.env): Launch | null {
  for (const { launcher, mpi, size, rank } of LAUNCHERS) {
    const ranks = Number(env[size]);
    if (env[size] === undefined || !Number.isInteger(ranks) || ranks < 1) continue;
    const own = env[rank] === undefined ? NaN : Number(env[rank]);
    return { launcher, mpi, size: ranks, rank: Number.isInteger(own) ? own : null };
  }
  return null;
}

const START = 'start with mpirun -n N or srun -n N';

/**
 * Whether this process connects to others by MPI. With `off` it does not, however it was launched.
 * @throws if it was launched as one of several in a way that cannot be served, or `mpi` is asked for and it was started alone
 */
export function wantsMpi(mode: Mode, launch: Launch | null): boolean {
  if (mode === 'off') return false;
  const several = launch !== null && launch.size > 1;
  if (!several && mode === 'auto') return false;
  if (!several) throw new Error(`--distributed mpi: this process was started alone; ${START}, or leave the option out`);
  const who = `launched by ${launch.launcher} as one of ${launch.size}`;
  if (launch.mpi === 'none')
    throw new Error(
      `${who}: its variables (WORLD_SIZE, RANK) serve NCCL, which is not supported; ${START}, ` +
        'or give --distributed off for runs that have nothing to do with each other',
    );
  return true;
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
