/** Runs plugins in a child process: a crash is reported and isolated. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Activity, Jobs, KernelJob, KernelResult, Message, Outcome, PluginDescription } from './protocol';
import { placeOf } from './stages';

/** How the child process is supervised. */
export interface ProcessOptions {
  /** Milliseconds that a plugin may run without progress; then the process is killed. Our own code may take any time. */
  timeout: number;
  /** Called with each activity and the plugin whose code runs; null for ours. */
  onStep?: (plugin: string | null, doing: string) => void;
  /** Ends the process. */
  signal?: AbortSignal;
  /** The script of the process; default `plugin_worker.js`. */
  worker?: string;
}

const SIGNALS: Partial<Record<NodeJS.Signals, string>> = {
  SIGSEGV: 'accessed memory out of bounds',
  SIGBUS: 'accessed unmapped memory',
  SIGABRT: 'aborted (heap corruption or an uncaught exception)',
  SIGILL: 'executed an instruction that this CPU lacks',
  SIGFPE: 'divided by zero',
  SIGKILL: 'was killed (out of memory?)',
};

/** Describes an unexpected exit as a clause whose subject is the plugin. */
export function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `ended the process itself, with exit status ${code}`;
  return `crashed: ${SIGNALS[signal] ?? 'ended by a signal'} (${signal})`;
}

const WORKER = path.join(__dirname, 'plugin_worker.js');

function start(job: string, worker: string): ChildProcess {
  // Redirects the plugin's standard output to our standard error, so that it does not mix with our tables.
  const child = spawn(process.execPath, [worker], { stdio: ['pipe', 2, 'inherit', 'pipe'] });
  child.stdin!.on('error', () => undefined); // the process may have exited; 'close' reports how
  child.stdin!.end(job);
  return child;
}

/** Runs one job in a child process; resolves when the process has exited. */
export function runJob<K extends keyof Jobs>(
  kind: K,
  job: Jobs[K]['job'],
  { timeout, onStep, signal, worker = WORKER }: ProcessOptions,
): Promise<Outcome<Jobs[K]['result']>> {
  return new Promise((resolve, reject) => {
    const child = start(JSON.stringify({ kind, job }), worker);
    const end = () => void child.kill('SIGKILL');
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
    type End = Outcome<Jobs[K]['result']>;
    let [last, outcome]: [Activity, End | null] = [{ doing: 'starting', plugin: null, limited: false }, null];
    const hang = () => {
      const problem = `hangs: no progress for ${timeout / 1000} s while ${last.doing}`;
      outcome ??= { problem, plugin: last.plugin };
      child.kill('SIGKILL');
    };
    let timer: NodeJS.Timeout | undefined;
    createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => {
      const line = JSON.parse(text) as Message<Jobs[K]['result']>;
      clearTimeout(timer);
      if (!('doing' in line)) return void (outcome = line);
      timer = line.limited ? setTimeout(hang, timeout) : undefined;
      last = line;
      onStep?.(line.limited ? line.plugin : null, line.doing);
    });
    child.on('error', reject);
    child.on('close', (code, by) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve(outcome ?? { problem: `${describeExit(code, by)} while ${last.doing}`, plugin: last.plugin });
    });
  });
}

/** Loads a plugin in a child process and returns its description. @throws if it cannot be loaded */
export async function describePlugin(file: string, options: ProcessOptions): Promise<PluginDescription> {
  const outcome = await runJob('describe', { file }, options);
  if ('result' in outcome) return outcome.result;
  throw new Error(outcome.problem);
}

/**
 * Runs a job, repeating it without each plugin that fails, until it succeeds: one plugin's failure does not affect the others.
 * @throws if the failure was not caused by a plugin
 */
export async function runKernelJob(job: KernelJob, options: ProcessOptions): Promise<KernelResult> {
  const outcome = await runJob('kernel', job, options);
  if ('result' in outcome) return outcome.result;
  const { plugin, problem } = outcome;
  if (plugin === null || !job.plugins.includes(plugin)) throw new Error(problem);
  const hint = problem.startsWith('hangs') ? ' (--timeout waits longer)' : '';
  const failure = { plugin, at: placeOf(job), problem: problem + hint };
  const rest = await runKernelJob({ ...job, plugins: job.plugins.filter((file) => file !== plugin) }, options);
  return { ...rest, failures: [failure, ...rest.failures] };
}
