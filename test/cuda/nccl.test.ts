/**
 * Ranks whose gradients are summed by NCCL, of which a stand-in (test/emulator/nccl_standin.cc) moves the data and logs the calls: on
 * the emulated device alone. NCCL itself needs several GPUs.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { native } from '../../src/core/native';
import { findLaunchers, resultOf, runRanks, runTorchrun, type JobOptions, type JobResult } from '../support/run_ranks';

const isEmulated = native.cudaStatus() === 'available' && native.cudaDevice().startsWith('emulated');
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-nccl-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LIBRARY = path.join(folder, 'libnccl.so.2');

/** Pictures of two classes. */
async function pictures(): Promise<string> {
  const root = path.join(folder, 'pictures');
  for (const name of ['dark', 'light'])
    for (let i = 0; i < 4; i++) {
      mkdirSync(path.join(root, name), { recursive: true });
      const background = { r: i * 30, g: name === 'dark' ? 20 : 220, b: 90 };
      await sharp({ create: { width: 36, height: 36, channels: 3, background } })
        .png()
        .toFile(path.join(root, name, `${i}.png`));
    }
  return root;
}

let data: string;

beforeAll(async () => {
  if (!isEmulated) return;
  const source = path.join(__dirname, '..', 'emulator', 'nccl_standin.cc');
  const flags = [
    '-std=c++17',
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-shared',
    '-fPIC',
    '-fvisibility=hidden',
    '-pthread',
  ];
  execFileSync('g++', [...flags, `-I${path.join(__dirname, '..', '..')}`, source, '-o', LIBRARY]);
  data = await pictures();
});

const MODEL = [
  ...['MODEL.MODEL_NAME', 'MorphMLP_image', 'MORPH.LAYERS', '[1,1,1,1]', 'MORPH.EMBED_DIMS', '[8,8,12,12]'],
  ...['MORPH.SEGMENT_DIM', '[4,4,4,4]', 'MORPH.DROP_DEPTH_RATE', '0.3'],
];

function argumentsFor(out: string, ...more: string[]): string[] {
  return [
    ...['train', '--data', data, '--no-plan', '--model', 'image-t', '--crop', '32', '--epochs', '1', '--seed', '3'],
    ...['--batch-size', '4', '--micro-batch', '1', '--threads', '1', '--workers', '1', '--cache-memory', '0'],
    ...['--clip-norm', '1', '--device', 'cuda', '--rank-timeout', '60', '--out', out, '--overwrite', ...more, ...MODEL],
  ];
}

const newOut = () => mkdtempSync(path.join(folder, 'run-'));

/** A folder for the stand-in's logs, and the environment of a job that uses it. */
function standin(more: NodeJS.ProcessEnv = {}) {
  const logs = mkdtempSync(path.join(folder, 'logs-'));
  const callsOf = (rank: number) =>
    readFileSync(path.join(logs, `rank${rank}.log`), 'utf8')
      .trim()
      .split('\n');
  return { callsOf, env: { MORPHMLP_NCCL: LIBRARY, NCCL_STANDIN: logs, ...more } };
}

let single: Promise<Record<string, string>> | undefined;

/** The result of one process. */
function alone(): Promise<Record<string, string>> {
  return (single ??= (async () => {
    const out = newOut();
    expect(await runRanks(null, 1, argumentsFor(out))).toMatchObject({ status: 0 });
    return resultOf(out);
  })());
}

/** Calls without the addresses of streams, and the number of different streams. */
function withoutStreams(calls: readonly string[]): { calls: string[]; streams: number } {
  const streams = new Set(calls.flatMap((call) => /stream=(\S+)/.exec(call)?.[1] ?? []));
  return { calls: calls.map((call) => call.replace(/ stream=\S+/, '')), streams: streams.size };
}

/** The calls of a sum in fixed order on a rank of two, of which each has `n` numbers of the nodes and `shard` of a sum. */
const exactSum = (n: number, shard: number): string[] => [
  ...[0, 1].flatMap((peer) => [`Send count=${n} type=7 peer=${peer}`, `Recv count=${n} type=7 peer=${peer}`]),
  'GroupEnd sends=2 receipts=2',
  `AllGather count=${shard} type=7 peer=-1`,
];

const own = (job: JobResult) => job.out.match(/^morphmlp: .*$/gm) ?? [];

if (!isEmulated) test('NOT RUN: the stand-in for NCCL needs the emulated device', () => undefined);
else {
  test('two ranks of torchrun learn what one process learns, bit for bit, by the calls that are expected', async () => {
    const { env, callsOf } = standin();
    const out = newOut();
    const jobs = await runTorchrun(2, argumentsFor(out), { env });
    expect(jobs).toMatchObject([{ status: 0 }, { status: 0 }]);
    expect(jobs[0]!.out).toMatch(/ranks: 2 on 1 host .* TCP to 127\.0\.0\.1:\d+, NCCL 2\.21\.5 .* exact sums/);
    expect(jobs[1]!.out).toBe('');
    expect(resultOf(out)).toEqual(await alone());
    const steps = 2; // of 4 of the 8 pictures
    for (const rank of [0, 1]) {
      const { calls, streams } = withoutStreams(callsOf(rank));
      expect(streams).toBe(1);
      expect(calls[0]).toBe(`CommInit rank=${rank} size=2`);
      expect(calls.slice(-2)).toEqual(['CommFinalize', 'CommDestroy']);
      const shard = Number(/AllGather count=(\d+)/.exec(calls.join('\n'))![1]);
      expect(shard).toBeGreaterThan(1000); // half of the parameters
      const expected = Array.from({ length: steps }, () => exactSum(shard, shard)).flat();
      expect(calls.slice(1, -2)).toEqual(expected);
    }
  });

  test('of ranks that MPI has started, too', async () => {
    const [launcher] = findLaunchers();
    if (!launcher) return console.log('NOT RUN: no mpirun of Open MPI or MPICH is installed');
    const { env, callsOf } = standin();
    const out = newOut();
    const job = await runRanks(launcher, 2, argumentsFor(out, '--distributed', 'nccl'), { env });
    expect(job).toMatchObject({ status: 0 });
    expect(job.out).toMatch(/ranks: 2 on 1 host .*MPI.*, NCCL 2\.21\.5/i);
    expect(resultOf(out)).toEqual(await alone());
    expect(callsOf(1).at(-1)).toBe('CommDestroy');
  });

  test('four ranks with a slice each, too', async () => {
    const { env } = standin();
    const out = newOut();
    const jobs = await runTorchrun(4, argumentsFor(out), { env });
    expect(jobs.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    expect(resultOf(out)).toEqual(await alone());
  });

  test('a fast reduction is one all-reduce', async () => {
    const { env, callsOf } = standin();
    const jobs = await runTorchrun(2, argumentsFor(newOut(), '--reduction', 'fast'), { env });
    expect(jobs).toMatchObject([{ status: 0 }, { status: 0 }]);
    const { calls } = withoutStreams(callsOf(1));
    expect(calls.slice(1, -2)).toEqual([
      expect.stringMatching(/^AllReduce count=\d{4,} type=7 peer=-1$/),
      expect.stringMatching(/^AllReduce/),
    ]);
  });

  test('--sync-bn on two ranks is the run of one process with the whole batch, within rounding', async () => {
    const lossesOf = (out: string): number[] =>
      (readFileSync(path.join(out, 'metrics.jsonl'), 'utf8').match(/"kind":"step".*/g) ?? []).map((line) =>
        Number(/"loss":([\d.]+)/.exec(line)![1]),
      );
    const sgd = ['MORPH.DROP_DEPTH_RATE', '0', 'SOLVER.OPTIMIZING_METHOD', 'sgd'];
    const [whole, synced] = [newOut(), newOut()];
    const sizes = (micro: string) => ['--micro-batch', micro, '--lr', '0.05', '--warmup-epochs', '0'];
    const args = (out: string, micro: string, ...more: string[]) => [
      ...argumentsFor(out, ...sizes(micro), ...more),
      ...sgd,
    ];
    expect(await runRanks(null, 1, args(whole, '4'))).toMatchObject({ status: 0 });
    const jobs = await runTorchrun(2, args(synced, '2', '--sync-bn'), { env: standin().env });
    expect(jobs).toMatchObject([{ status: 0 }, { status: 0 }]);
    const losses = lossesOf(synced);
    expect(losses).toHaveLength(2);
    lossesOf(whole).forEach((loss, i) => expect(losses[i]).toBeCloseTo(loss, 5));
  });

  const failing = async (more: readonly string[], options: JobOptions) => {
    const jobs = await runTorchrun(2, argumentsFor(newOut(), ...more), options);
    expect(jobs.every(({ status }) => status !== 0)).toBe(true);
    return { jobs, told: jobs.flatMap(own) };
  };

  test('a fault that NCCL reports ends all ranks with its words', async () => {
    const { env, callsOf } = standin({ NCCL_STANDIN_FAULT: '1:AllGather:2:error' });
    const { told } = await failing([], { env });
    expect(told).toEqual([
      expect.stringMatching(/^morphmlp: rank 1 on .*NCCL, .*: remote process exited or there was a network error/),
    ]);
    expect(callsOf(1).at(-1)).toBe('CommAbort');
  });

  test('an exchange that does not end is given up, and names the rank', async () => {
    const { env, callsOf } = standin({ NCCL_STANDIN_FAULT: '1:Send:4:hang' });
    const { jobs, told } = await failing(['--rank-timeout', '4'], { env });
    expect(jobs.map(({ status }) => status)).toContain(75);
    expect(told.join('\n')).toMatch(/waited 4 s in vain for the data of rank .*, though all have begun to send/);
    expect(callsOf(0).at(-1)).toBe('CommAbort');
  });

  test('a rank that hangs before its exchange is named', async () => {
    const { env } = standin();
    const { told } = await failing(['--rank-timeout', '4'], { env, fault: '1:hang:3' });
    expect(told).toEqual([expect.stringMatching(/^morphmlp: rank 0 on .* waited 4 s in vain for rank 1 on/)]);
  });

  test('a rank that is killed ends the others', async () => {
    const { env } = standin();
    const { told } = await failing([], { env, fault: '1:kill:3' });
    expect(told).toEqual([
      expect.stringMatching(/^morphmlp: rank 0 on .*: rank 1 has ended: its connection is closed/),
    ]);
  });

  test('a rank that throws is the only one that speaks', async () => {
    const { env } = standin();
    const { told } = await failing([], { env, fault: '1:throw:3' });
    expect(told).toEqual([expect.stringMatching(/^morphmlp: rank 1 on .*: an injected fault/)]);
  });

  test.each([
    [
      'a library that is missing',
      [],
      { MORPHMLP_NCCL: '/none/libnccl.so.2' },
      /need NCCL, which cannot be loaded on this host.*\/none\/libnccl/,
    ],
    [
      'a library that is none',
      [],
      { MORPHMLP_NCCL: 'libm.so.6' },
      /libm\.so\.6: it has no ncclGetVersion, so it is not NCCL 2\.14 or newer/,
    ],
    [
      'a library that is too old',
      [],
      { NCCL_STANDIN_VERSION: '21003' },
      /NCCL 2\.14 or newer is needed, it is 2\.10\.3/,
    ],
    [
      'recorded steps',
      ['--cuda-graph', 'on'],
      {},
      /--cuda-graph replays the steps of one process: leave it out, got 2 ranks/,
    ],
    [
      'the CPU',
      ['--device', 'cpu'],
      {},
      /the variables of torchrun \(WORLD_SIZE, RANK\) serve NCCL, which needs --device cuda/,
    ],
    [
      'the CPU with NCCL',
      ['--device', 'cpu', '--distributed', 'nccl'],
      {},
      /--distributed nccl sums gradients on GPUs: give --device cuda/,
    ],
    ['MPI', ['--distributed', 'mpi'], {}, /are not those of an MPI; start with mpirun -n N or srun -n N/],
  ])('is refused in one sentence: %s', async (_, more, env, message) => {
    const { told } = await failing(more, { env: { ...standin().env, ...env } });
    expect([...new Set(told)]).toEqual([expect.stringMatching(message)]);
  });

  test('a rank that never comes is named', async () => {
    const env = { ...standin().env, WORLD_SIZE: '3' };
    const { told } = await failing(['--rank-timeout', '3'], { env });
    expect(told.join('\n')).toMatch(/rank 0 waited 3 s at 127\.0\.0\.1:\d+ in vain for rank 2/);
  });

  test('doctor says which NCCL there is', async () => {
    expect((await runRanks(null, 1, ['doctor'], { env: standin().env })).out).toMatch(/^NCCL +NCCL 2\.21\.5$/m);
    const without = { MORPHMLP_NCCL: path.join(folder, 'none.so') };
    expect((await runRanks(null, 1, ['doctor'], { env: without })).out).toMatch(/^NCCL +none: .*none\.so/m);
  });
}
