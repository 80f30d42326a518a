/** Plugins in a process of their own: whatever one does there, it is told of and nothing else is lost. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Answer, Doing, Jobs, KernelJob, KernelResult, Line, Outcome } from './protocol';

/** A plugin that did not pass. */
export interface Failure {
  plugin: string;
  /** Where: an op at a stage; empty before it came to that. */
  at: string;
  problem: string;
}

/** How a process is watched. */
export interface HostOptions {
  /** Milliseconds in which something must happen. */
  timeout: number;
  onStep?: (plugin: string | null, doing: string) => void;
}

const SIGNALS: Partial<Record<NodeJS.Signals, string>> = {
  SIGSEGV: 'touched memory that is not its own',
  SIGBUS: 'touched memory that is not there',
  SIGABRT: 'aborted (damaged memory, or an error nobody caught)',
  SIGILL: 'ran an instruction this processor does not have',
  SIGFPE: 'divided by zero',
  SIGKILL: 'was killed (out of memory?)',
};

/** How a process ended that was not asked to, as what somebody did. */
export function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `ended the process itself, with exit status ${code}`;
  return `crashed: ${SIGNALS[signal] ?? 'ended by a signal'} (${signal})`;
}

function start(job: string): ChildProcess {
  // What the plugin prints must not get between the rows of our tables: its standard output becomes our standard error.
  const child = spawn(process.execPath, [path.join(__dirname, 'plugin_worker.js')], {
    stdio: ['pipe', 2, 'inherit', 'pipe'],
  });
  child.stdin!.on('error', () => undefined); // it may be gone already; how is told by its end
  child.stdin!.end(job);
  return child;
}

/** Runs one job; resolves when its process has ended. */
export function runJob<K extends keyof Jobs>(
  kind: K,
  job: Jobs[K]['job'],
  { timeout, onStep }: HostOptions,
): Promise<Outcome<Jobs[K]['result']>> {
  return new Promise((resolve, reject) => {
    const child = start(JSON.stringify({ kind, job }));
    type End = Outcome<Jobs[K]['result']>;
    let [last, outcome]: [Doing, End | null] = [{ doing: 'starting', plugin: null }, null];
    const hang = () => {
      const problem = `hangs: nothing for ${timeout / 1000} s while ${last.doing}`;
      outcome ??= { problem, plugin: last.plugin };
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, timeout);
    createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => {
      const line = JSON.parse(text) as Line<Jobs[K]['result']>;
      clearTimeout(timer);
      if (!('doing' in line)) return void (outcome = line);
      timer = setTimeout(hang, timeout);
      last = line;
      onStep?.(line.plugin, line.doing);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(outcome ?? { problem: `${endOf(code, signal)} while ${last.doing}`, plugin: last.plugin });
    });
  });
}

/** Asks a plugin what it is; throws what is wrong with it. */
export async function describePlugin(file: string, options: HostOptions): Promise<Answer> {
  const outcome = await runJob('question', { describe: file }, options);
  if ('result' in outcome) return outcome.result;
  throw new Error(outcome.problem);
}

/**
 * Runs a job, without those of its plugins that fail, until it ends well: the others are measured whatever one does.
 * @throws when what failed was no plugin
 */
export async function runHosted(job: KernelJob, options: HostOptions): Promise<KernelResult & { failures: Failure[] }> {
  const outcome = await runJob('kernel', job, options);
  if ('result' in outcome) return { ...outcome.result, failures: [] };
  const { plugin, problem } = outcome;
  if (plugin === null) throw new Error(problem);
  const hint = problem.startsWith('hangs') ? ' (--timeout waits longer)' : '';
  const failure = { plugin, at: `${job.op} stage ${job.stage}`, problem: problem + hint };
  const rest = await runHosted({ ...job, plugins: job.plugins.filter((file) => file !== plugin) }, options);
  return { ...rest, failures: [failure, ...rest.failures] };
}
