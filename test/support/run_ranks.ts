import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { CLI } from './run_cli';

/** An MPI of this machine: its launcher, and the options by which it starts more ranks than there are processors. */
export interface Launcher {
  name: string;
  program: string;
  options: readonly string[];
}

const KNOWN: readonly (Launcher & { says: RegExp })[] = [
  {
    ...{ name: 'Open MPI', program: 'mpirun.openmpi', says: /Open MPI|OpenRTE/ },
    options: ['--oversubscribe', '--bind-to', 'none'],
  },
  { name: 'MPICH', program: 'mpirun.mpich', says: /HYDRA/, options: [] },
];

/** The launchers of this machine, by the names that Debian gives them or by that of the only one. */
export function findLaunchers(): Launcher[] {
  return KNOWN.flatMap(({ says, ...launcher }) => {
    const program = [launcher.program, 'mpirun'].find((name) => {
      const { stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
      return says.test(stdout ?? '');
    });
    return program === undefined ? [] : [{ ...launcher, program }];
  });
}

/** Result of a job: exit status and output. */
export interface JobResult {
  status: number | null;
  out: string;
}

/** Environment of a job: `fault` as in rank_fault.cjs. Its launcher is killed as soon as the job has printed `until`. */
export interface JobOptions {
  fault?: string;
  env?: NodeJS.ProcessEnv;
  until?: RegExp;
}

const PRELOAD = path.join(__dirname, 'rank_fault.cjs');

/** Runs the command line with so many ranks; with a null launcher as one process. */
export function runRanks(
  launcher: Launcher | null,
  ranks: number,
  args: readonly string[],
  options: JobOptions = {},
): Promise<JobResult> {
  const command = [process.execPath, CLI, ...args];
  const [program, ...rest] = launcher
    ? [launcher.program, ...launcher.options, '-n', String(ranks), ...command]
    : command;
  return runProgram(program!, rest, options);
}

/** Runs the command line as so many processes with the variables of torchrun. Returns the result of each. */
export async function runTorchrun(
  ranks: number,
  args: readonly string[],
  options: JobOptions = {},
): Promise<JobResult[]> {
  const job = { WORLD_SIZE: String(ranks), MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()) };
  return Promise.all(
    Array.from({ length: ranks }, (_, rank) => {
      const env = { ...job, RANK: String(rank), LOCAL_RANK: String(rank), ...options.env };
      return runProgram(process.execPath, [CLI, ...args], { ...options, env });
    }),
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a program to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  { fault, env = {}, until }: JobOptions,
): Promise<JobResult> {
  const preload = fault === undefined ? {} : { RANK_FAULT: fault, NODE_OPTIONS: `--require ${PRELOAD}` };
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const child = spawn(program, args, { env: { ...process.env, NO_COLOR: '1', ...root, ...preload, ...env } });
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      pieces.push(piece);
      if (until?.test(Buffer.concat(pieces).toString())) child.kill('SIGKILL');
    });
  return new Promise((resolve, reject) => {
    const settle = (status: number | null): void => resolve({ status, out: Buffer.concat(pieces).toString() });
    child.on('error', reject);
    child.on('close', settle);
    // The pipes may outlive the launcher: its daemon on a host that is cut off holds them.
    child.on('exit', (status) => setTimeout(settle, 2000, status).unref());
  });
}

const withoutSeconds = (text: string): string => text.replace(/"seconds":[\d.e-]+/g, '');

/** What a run has learned and logged, without times: weights, moments, averages, progress, each step and epoch. */
export function resultOf(folder: string): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const file of ['last', 'best']) {
    const { tensors, optimizer, meta } = loadCheckpoint(path.join(folder, `${file}.safetensors`));
    for (const [kind, map] of Object.entries({ tensors, optimizer }))
      for (const [name, { data }] of map) {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        parts[`${file} ${kind} ${name}`] = createHash('sha256').update(bytes).digest('hex');
      }
    parts[`${file} meta`] = withoutSeconds(JSON.stringify(meta));
  }
  const lines = readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8').split('\n');
  parts['metrics'] = withoutSeconds(lines.filter((line) => /"kind":"(step|epoch)"/.test(line)).join('\n'));
  return parts;
}
