/** Plugins in a process of their own: whatever one does there, it is told of and nothing else is lost. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Answer, Doing, Job, Line, Outcome, Question } from './job';
import type { KernelRow } from './kernels';

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

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `ended the process itself, with exit status ${code}`;
  return `crashed: ${SIGNALS[signal] ?? 'ended by a signal'} (${signal})`;
}

function start(job: Job | Question): ChildProcess {
  // What the plugin prints must not get between the rows of our tables: its standard output becomes our standard error.
  const child = spawn(process.execPath, [path.join(__dirname, 'host.js')], { stdio: ['pipe', 2, 'inherit', 'pipe'] });
  child.stdin!.on('error', () => undefined); // it may be gone already; how is told by its end
  child.stdin!.end(JSON.stringify(job));
  return child;
}

/** Runs one job; resolves when its process has ended. */
function runJob(job: Job | Question, { timeout, onStep }: HostOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = start(job);
    let [last, outcome]: [Doing, Outcome | null] = [{ doing: 'starting', plugin: null }, null];
    const hang = () => {
      outcome ??= { problem: `hangs: nothing for ${timeout / 1000} s while ${last.doing}`, plugin: last.plugin };
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, timeout);
    createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
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
  const outcome = await runJob({ describe: file }, options);
  if ('answer' in outcome) return outcome.answer;
  throw new Error('problem' in outcome ? outcome.problem : 'it gave no answer');
}

/**
 * Runs a job, without those of its plugins that fail, until it ends well: the others are measured whatever one does.
 * @throws when what failed was no plugin
 */
export async function runHosted(job: Job, options: HostOptions): Promise<{ rows: KernelRow[]; failures: Failure[] }> {
  const outcome = await runJob(job, options);
  if ('rows' in outcome) return { rows: outcome.rows, failures: [] };
  if ('answer' in outcome) throw new Error('an answer to a question that nobody asked');
  const { plugin, problem } = outcome;
  if (plugin === null) throw new Error(problem);
  const failure = { plugin, at: `${job.op} stage ${job.stage}`, problem };
  const rest = await runHosted({ ...job, plugins: job.plugins.filter((file) => file !== plugin) }, options);
  return { ...rest, failures: [failure, ...rest.failures] };
}
