/** A training on two hosts, which reach each other by a network alone, is that of one process. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CLI } from '../support/run_cli';
import { findLaunchers, resultOf, runRanks } from '../support/run_ranks';
import { TwoHosts } from '../support/two_hosts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-hosts-'));
const launchers = findLaunchers();

/** The hosts, or why there are none. */
function open(): TwoHosts | string {
  if (launchers.length === 0) return 'no mpirun of Open MPI or MPICH is installed';
  try {
    return new TwoHosts(folder);
  } catch (error) {
    return `this system allows no network namespaces: ${(error as Error).message.split('\n').at(-2) ?? ''}`;
  }
}

const hosts = open();
afterAll(() => {
  if (hosts instanceof TwoHosts) hosts.remove();
  rmSync(folder, { recursive: true });
});

const train = (out: string, ...more: string[]): string[] => [
  ...['train', '--preset', 'quickstart', '--data', 'motion:16', '--val', 'motion:8', '--crop', '32', '--epochs', '1'],
  ...[
    '--threads',
    '1',
    '--workers',
    '1',
    '--batch-size',
    '8',
    '--micro-batch',
    '4',
    '--out',
    path.join(folder, out),
    ...more,
  ],
];

if (hosts instanceof TwoHosts) {
  test('the bits are those of one process, and the gradients went over the network', async () => {
    expect(await runRanks(null, 1, train('alone'))).toMatchObject({ status: 0 });
    for (const launcher of launchers) {
      const before = hosts.sent();
      const job = await hosts.run(launcher, [process.execPath, CLI, ...train(launcher.name)]);
      // UCX over TCP, below MPICH, at times waits in MPI_Finalize for a rank that has left it (openucx/ucx#8738).
      const stuck = launcher.name === 'MPICH' && job.out.includes('does not disconnect');
      if (!stuck) expect(job).toMatchObject({ status: 0 });
      expect(job.out).toContain('ranks: 2 on 2 hosts');
      expect(resultOf(path.join(folder, launcher.name))).toEqual(resultOf(path.join(folder, 'alone')));
      const parameters = 700e3;
      expect(hosts.sent() - before).toBeGreaterThan(2 * parameters * 4); // two steps, f32
    }
  });

  // Last: the network stays cut. Open MPI's launcher waits for its daemon on the other host, and is ended by the test.
  test('a network that is cut ends both ranks; the first tells which rank and host do not answer', async () => {
    const args = train('cut', '--epochs', '1000', '--rank-timeout', '5');
    const told = /rank 0 on node1 waited 5 s in vain for (the data of )?rank 1 on node2/;
    let ended = false;
    const job = hosts
      .run(launchers[0]!, [process.execPath, CLI, ...args], { until: told })
      .finally(() => (ended = true));
    const sent = hosts.sent();
    while (!ended && hosts.sent() < sent + 20e6) await new Promise((resolve) => setTimeout(resolve, 100));
    if (!ended) hosts.cut();
    expect((await job).out).toMatch(told);
    const ranks = () => hosts.running().filter((line) => line.startsWith(process.execPath));
    while (ranks().length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  });
} else test(`NOT RUN: ${hosts}`, () => undefined);
