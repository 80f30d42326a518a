/** A rank that fails ends the job soon, with one message and a status other than 0; the last checkpoint stays whole. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readRunState } from '../../src/train/state';
import { findLaunchers, runRanks, type Launcher } from '../support/run_ranks';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-faults-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launchers = findLaunchers();
if (launchers.length === 0) test('NOT RUN: no mpirun of Open MPI or MPICH is installed', () => undefined);

const ARGS = [
  ...['train', '--preset', 'quickstart', '--data', 'motion:24', '--val', 'motion:8', '--crop', '32', '--epochs', '3'],
  ...['--batch-size', '8', '--micro-batch', '2', '--threads', '1', '--workers', '1', '--cache-memory', '0'],
];

/** Trains on two ranks with a fault: an epoch has 3 steps of 4 slices, and a rank 6 slices. */
async function fail(launcher: Launcher, fault: string, more: readonly string[] = []) {
  const out = mkdtempSync(path.join(folder, 'run-'));
  const job = await runRanks(launcher, 2, [...ARGS, '--out', out, '--overwrite', ...more], { fault });
  const last = path.join(out, 'last.safetensors');
  return {
    ...job,
    epochs: existsSync(last) ? readRunState(last).epoch : 0,
    own: job.out.match(/^morphmlp: .*$/gm) ?? [],
  };
}

const HOST = os.hostname();

/** A library that is the launcher's own but for MPI_Finalize, which does not return. */
function libraryThatStays({ name }: Launcher): string {
  const file = path.join(folder, `${name.replace(' ', '_')}_stays.so`);
  const own = name === 'MPICH' ? '-l:libmpich.so.12' : '-l:libmpi.so.40';
  const options = ['-shared', '-fPIC', '-x', 'c', '-', '-x', 'none', '-Wl,--no-as-needed', own, '-o', file];
  const { status, stderr } = spawnSync(process.env['CC'] ?? 'cc', options, {
    input: '#include <unistd.h>\nint MPI_Finalize(void) { for (;;) pause(); }\n',
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return file;
}

if (launchers.length > 0)
  describe.each(launchers.map((launcher) => [launcher.name, launcher] as const))('under %s', (_, launcher) => {
    test.each([
      ['throws', '1:throw:9', [], 1, `morphmlp: rank 1 on ${HOST}: an injected fault`],
      [
        'exits with status 0',
        '1:exit:9',
        [],
        1,
        `morphmlp: rank 1 on ${HOST} exited with status 0 before the others were done`,
      ],
      ['finds the disk full', '0:full:9', [], 1, `morphmlp: rank 0 on ${HOST}: ENOSPC: no space left on device`],
      [
        'hangs',
        '1:hang:9',
        ['--rank-timeout', '4'],
        75,
        `morphmlp: rank 0 on ${HOST} waited 4 s in vain for rank 1 on ${HOST}`,
      ],
      [
        'is the main one and hangs',
        '0:hang:9',
        ['--rank-timeout', '4'],
        75,
        `rank 1 on ${HOST} waited 8 s in vain for rank 0`,
      ],
      ['has NaN', '1:nan:9', [], 1, 'morphmlp: forward of convNorm'],
      [
        'has a bit of a weight flipped',
        '1:flip:9',
        [],
        1,
        `morphmlp: epoch 2: the weights of rank 1 on ${HOST} differ`,
      ],
    ] as const)('a rank that %s ends the job with one message', async (_what, fault, more, status, message) => {
      const job = await fail(launcher, fault, more);
      expect(job).toMatchObject({ status, epochs: 1 });
      expect(job.own).toHaveLength(1);
      expect(job.own[0]).toContain(message);
    });

    test('a library that does not disconnect is left, with all written', async () => {
      const out = path.join(folder, `${launcher.name} stays`);
      const env = { MORPHMLP_MPI: libraryThatStays(launcher) };
      const job = await runRanks(launcher, 2, [...ARGS, '--out', out], { env });
      expect(job.out).toMatch(/warning: rank \d on .*: all ranks have finished, but .* does not disconnect/);
      expect(readRunState(path.join(out, 'last.safetensors')).epoch).toBe(3);
      expect(existsSync(path.join(out, 'report.html'))).toBe(true);
    });

    test('a rank that is killed ends the job, and the run goes on from its last epoch', async () => {
      const job = await fail(launcher, '1:kill:9');
      expect(job.status).not.toBe(0);
      expect(job.epochs).toBe(1);
      expect(job.out).toMatch(/signal 9/);
    });

    const refused = (args: readonly string[], env: NodeJS.ProcessEnv = {}, ranks = 2) =>
      runRanks(launcher, ranks, args, { env });
    const out = () => ['--out', path.join(folder, 'refused')];

    test('a library that is not there is an error that says what to do', async () => {
      const job = await refused([...ARGS, ...out()], { MORPHMLP_MPI: '/nowhere/libmpi.so' });
      expect(job.status).not.toBe(0);
      expect(job.out).toMatch(
        /as one of 2, but no MPI library can be loaded on this host; install that of the launcher/,
      );
    });

    test('a library of another MPI than the launcher is an error, not two runs in one folder', async () => {
      const other = launcher.name === 'MPICH' ? 'libmpi.so.40' : 'libmpich.so.12';
      if (launchers.length < 2) return console.warn(`NOT RUN: there is no second MPI with ${other}`);
      const job = await refused([...ARGS, ...out()], { MORPHMLP_MPI: other });
      expect(job.status).not.toBe(0);
      expect(job.out).toMatch(/as one of 2, but .* connects 1: it is not the launcher's MPI/);
      expect(existsSync(out()[1]!)).toBe(false);
    });

    test('slices that the ranks do not divide are told once', async () => {
      const job = await refused([...ARGS, ...out(), '--micro-batch', '8']);
      expect(job.status).not.toBe(0);
      expect(job.out.match(/^morphmlp: .*$/gm)).toEqual([
        expect.stringMatching(
          /2 ranks need a number of micro-batches a step that they divide, got 1: give --micro-batch/,
        ),
      ]);
    });

    test('a command that runs as one process is refused', async () => {
      const job = await refused(['flops']);
      expect(job.status).not.toBe(0);
      expect(job.out).toMatch(/morphmlp flops runs as one process, but was launched by .* as one of 2/);
    });
  });
