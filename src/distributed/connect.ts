/** Connects the processes that a launcher started. */
import { writeSync } from 'node:fs';
import os from 'node:os';
import { native } from '../core/native';
import { instructionSet } from '../core/runtime';
import { packageVersion } from '../core/version';
import { findLibrary, findNccl } from './libraries';
import { detectLaunch, linkFor, rendezvousOf, type Launch, type LinkKind, type Mode } from './launch';
import { ownProcessors, type Seat } from './processors';
import { ALONE, Ranks } from './ranks';
import { openSession } from './session';

/** Options of `connect`. */
export interface ConnectOptions {
  mode: Mode;
  /** Seconds to wait for a rank before the job ends. */
  timeout: number;
}

function checkSize({ launcher, size }: Launch, connected: number, library: string): void {
  if (connected === size) return;
  const start = launcher === 'srun' ? 'Choose its plugin (srun --mpi=pmix or pmi2)' : 'Use the mpirun of that library';
  throw new Error(
    `launched by ${launcher} as one of ${size}, but ${library} connects ${connected}: it is not the launcher's MPI. ` +
      `${start}, or name its library by MORPHMLP_MPI=/path/to/libmpi.so`,
  );
}

/** @throws on all ranks if a fact differs among them, naming rank and values */
export function expectSame(ranks: Ranks, facts: Readonly<Record<string, string | number>>): void {
  const all = ranks.gatherJson(facts);
  const problems = all.flatMap((other, rank) =>
    Object.keys(all[0]!)
      .filter((name) => other[name] !== all[0]![name])
      .map((name) => `${ranks.name(rank)} has ${name} ${other[name]}, rank 0 has ${all[0]![name]}`),
  );
  ranks.throwShared(problems.join('\n'));
}

/** Ends the job if this process ends without `close`: the others would wait for it. `abort` does not return, so nothing has been said. */
function abortOnExit(ranks: Ranks): void {
  process.on('exit', (status) => {
    if (ranks.isClosed) return;
    writeSync(2, `morphmlp: ${ranks.label} exited with status ${status} before the others were done\n`);
    ranks.abort(status || 1);
  });
}

function openLink(kind: LinkKind, launch: Launch, timeout: number): ReturnType<typeof native.commInitMpi> {
  if (kind === 'tcp') {
    const { host, port, rank, size } = rendezvousOf(launch);
    return native.commInitTcp(host, port, rank, size, timeout);
  }
  const world = native.commInitMpi(findLibrary(launch, native.mpiDescribe), timeout);
  checkSize(launch, world.size, world.name);
  return world;
}

/**
 * Connects this process to the others of its job, if it was launched as one of several (see `linkFor`).
 * @throws if it cannot be connected, or the ranks run different versions
 */
export function connect({ mode, timeout }: ConnectOptions): Ranks {
  const launch = detectLaunch();
  const kind = linkFor(mode, launch);
  if (kind === null) return ALONE;
  const { rank, size, name } = openLink(kind, launch!, timeout);
  const seat: Seat = { host: os.hostname(), processors: ownProcessors(), total: os.cpus().length };
  const unknown = Array.from({ length: size }, () => ({ ...seat, host: 'an unknown host' }));
  const seats = new Ranks(rank, unknown, name, timeout, kind).gatherJson(seat);
  const ranks = new Ranks(rank, seats, name, timeout, kind);
  openSession(ranks);
  abortOnExit(ranks);
  expectSame(ranks, { version: packageVersion(), 'kernels for': instructionSet() });
  return ranks;
}

/** Connects the GPUs of all ranks, each with the one that it uses. @throws on all ranks if their NCCL differs */
export function connectGpus(ranks: Ranks): void {
  const found = ranks.agree(() => findNccl(native.ncclDescribe));
  expectSame(ranks, { NCCL: found.version });
  ranks.useNccl(found);
}
