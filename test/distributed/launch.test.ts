import { detectLaunch, linkFor, refuseSeveral, rendezvousOf } from '../../src/distributed/launch';
import { libraryNames } from '../../src/distributed/libraries';
import { neighbours, parseCpuList, threadShare, unusedProcessors, visibleGpu } from '../../src/distributed/processors';

describe('the launcher of a process', () => {
  test.each([
    ['nothing', {}, null],
    ['sbatch alone, whose script runs once', { SLURM_NTASKS: '4', SLURM_JOB_ID: '1' }, null],
    ['Open MPI', { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '2' }, ['mpirun (Open MPI)', 4, 2]],
    [
      'Open MPI within Slurm, whose daemons srun has started',
      { SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '0', OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3' },
      ['mpirun (Open MPI)', 4, 3],
    ],
    ['MPICH', { PMI_SIZE: '2', PMI_RANK: '1' }, ['mpiexec (MPICH)', 2, 1]],
    ['srun', { SLURM_STEP_NUM_TASKS: '16', SLURM_PROCID: '5', SLURM_NTASKS: '16' }, ['srun', 16, 5]],
    ['torchrun', { WORLD_SIZE: '8', RANK: '7', LOCAL_RANK: '3' }, ['torchrun', 8, 7]],
    [
      'torchrun within Slurm',
      { SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '0', TORCHELASTIC_RUN_ID: '7', WORLD_SIZE: '16', RANK: '9' },
      ['torchrun', 16, 9],
    ],
    ['a launcher without a rank', { PMI_SIZE: '2' }, ['mpiexec (MPICH)', 2, null]],
    ['a size that is no number', { PMI_SIZE: 'two' }, null],
  ] as const)('is found: %s', (_, env, expected) => {
    const found = detectLaunch(env);
    expect(found && [found.launcher, found.size, found.rank]).toEqual(expected);
  });

  test('decides whether to connect, and what cannot be served is an error', () => {
    const mpirun = detectLaunch({ OMPI_COMM_WORLD_SIZE: '4' });
    const single = detectLaunch({ OMPI_COMM_WORLD_SIZE: '1' });
    const torchrun = detectLaunch({ WORLD_SIZE: '4', RANK: '0' });
    expect((['auto', 'mpi', 'nccl', 'off'] as const).map((mode) => linkFor(mode, mpirun))).toEqual([
      'mpi',
      'mpi',
      'mpi',
      null,
    ]);
    expect([linkFor('auto', null), linkFor('auto', single), linkFor('off', torchrun)]).toEqual([null, null, null]);
    expect([linkFor('auto', torchrun), linkFor('nccl', torchrun)]).toEqual(['tcp', 'tcp']);
    expect(() => linkFor('mpi', null)).toThrow(/started alone; start with mpirun -n N or srun -n N/);
    expect(() => linkFor('nccl', single)).toThrow(/--distributed nccl: this process was started alone/);
    expect(() => linkFor('mpi', torchrun)).toThrow(
      /launched by torchrun as one of 4: its variables .* not those of an MPI/,
    );
  });

  test('says where ranks meet, or which variable is missing or wrong', () => {
    const env = { WORLD_SIZE: '4', RANK: '3', MASTER_ADDR: 'node1', MASTER_PORT: '29500' };
    const launch = detectLaunch(env)!;
    expect(rendezvousOf(launch, env)).toEqual({ host: 'node1', port: 29500, rank: 3, size: 4 });
    expect(rendezvousOf(launch, { ...env, TORCHELASTIC_USE_AGENT_STORE: 'True' }).port).toBe(29501);
    for (const [name, value, message] of [
      ['MASTER_ADDR', undefined, /MASTER_ADDR is missing/],
      ['MASTER_PORT', undefined, /expected MASTER_PORT from 1 to 65534, got nothing/],
      ['MASTER_PORT', 'ssh', /expected MASTER_PORT from 1 to 65534, got ssh/],
      ['RANK', '4', /launched by torchrun as one of 4: expected RANK from 0 to 3, got 4/],
    ] as const)
      expect(() => rendezvousOf(launch, { ...env, [name]: value })).toThrow(message);
  });

  test('refuses several processes of a command for one', () => {
    expect(() => refuseSeveral('predict', { PMI_SIZE: '2' })).toThrow(
      /morphmlp predict runs as one process, but was launched/,
    );
    expect(() => refuseSeveral('predict', { PMI_SIZE: '1' })).not.toThrow();
    expect(() => refuseSeveral('predict', {})).not.toThrow();
  });

  test('decides which library is tried first', () => {
    expect(libraryNames('openmpi', {})[0]).toMatch(/^libmpi\.(so\.)?40/);
    expect(libraryNames('mpich', {})[0]).toMatch(/^libmpi(ch)?\.(so\.)?12/);
    expect(libraryNames('any', { PMIX_RANK: '0' })[0]).toMatch(/40/);
    expect(libraryNames('any', {})[0]).toMatch(/12/);
    expect(libraryNames('openmpi', { MORPHMLP_MPI: '/opt/libmpi.so' })).toEqual(['/opt/libmpi.so']);
  });
});

describe('processors of ranks', () => {
  const seat = (host: string, list: string, total = 16) => ({ host, processors: parseCpuList(list), total });

  test('are read from a list of ranges', () => {
    expect(parseCpuList('0-3,8,10-11\n')).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parseCpuList('5')).toEqual([5]);
    expect(parseCpuList('')).toEqual([]);
  });

  test.each([
    ['four ranks that are not bound share a host', [0, 1, 2, 3].map(() => seat('a', '0-15')), 4, 4, 4],
    ['ranks that are bound to four cores each have them', [seat('a', '0-3'), seat('a', '4-7')], 2, 1, 4],
    ['a rank that is bound to one core has one thread', [seat('a', '0'), seat('a', '1')], 2, 1, 1],
    ['ranks of other hosts do not count', [seat('a', '0-15'), seat('b', '0-15')], 1, 1, 16],
    ['more ranks than processors have a thread each', [0, 1, 2].map(() => seat('a', '0-1', 2)), 3, 3, 1],
  ])('%s', (_, seats, local, sharing, threads) => {
    expect(neighbours(seats, 0)).toEqual({ local, sharing });
    expect(threadShare(seats, 0, 16)).toBe(threads);
  });

  test.each([
    ['alone on its host', ['a', 'b'], 1, {}, null],
    ['the second of its host', ['a', 'b', 'b'], 2, {}, '1'],
    ['the second of its host, of the GPUs that it may use', ['a', 'a'], 1, { CUDA_VISIBLE_DEVICES: '4,6' }, '6'],
    ['to which the launcher gave one', ['a', 'a'], 1, { CUDA_VISIBLE_DEVICES: 'GPU-1f' }, null],
    ['whose launcher counts otherwise', ['a', 'a', 'a'], 0, { LOCAL_RANK: '2' }, '2'],
  ])('are GPUs too: a rank %s', (_, hosts, rank, env, gpu) => {
    const seats = hosts.map((host) => seat(host, '0'));
    expect(visibleGpu(seats, rank, env)).toBe(gpu);
  });

  test('more ranks than GPUs are an error', () => {
    const seats = [0, 1, 2].map(() => seat('a', '0'));
    expect(() => visibleGpu(seats, 2, { CUDA_VISIBLE_DEVICES: '0,1' })).toThrow(
      /rank 2 is number 2 on a, where CUDA_VISIBLE_DEVICES has 2 GPUs \(0,1\): start one rank for each/,
    );
  });

  test('that cannot be used are told for each host', () => {
    expect(unusedProcessors([seat('a', '0'), seat('a', '1'), seat('b', '0-15')])).toEqual([
      expect.stringMatching(/^the ranks on a may use 2 of its 16 processors: .*--bind-to none/),
    ]);
    expect(unusedProcessors([seat('a', '0-7'), seat('a', '8-15')])).toEqual([]);
  });
});
