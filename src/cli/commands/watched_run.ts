/**
 * Training with plugins. A child process first compares the model with and without them; then the run goes
 * on in a second one that this process watches: a kernel that crashes or hangs is reported, and the last checkpoint is kept.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { describePlugin, describeExit, runJob } from '../../bench/kernels/plugin_process';
import { openPlugin, requirePluginDevice, usePlugin, watchPlugins } from '../../core/plugins';
import { threads } from '../../core/runtime';
import { getDefaultDevice } from '../../core/tensor';
import type { RunOptions } from '../../train/options';
import { runFiles } from '../../train/run';
import { withProgress } from '../../terminal/progress';

const WATCHED = 'MORPHMLP_WATCHED';
const TIMEOUT_MS = 120_000;

/** Whether this is the watched process. */
export const isWatched = (): boolean => process.env[WATCHED] === '1';

/** The plugin kernel that the watched process is running; null outside of plugins. */
type Inside = { file: string; op: string; direction: string } | null;

/** In the watched process: uses the plugins `files` for their ops and reports the start and end of each call on pipe 3. */
export function usePlugins(files: readonly string[]): string[] {
  const plugins = files.map(openPlugin);
  for (const plugin of plugins) {
    requirePluginDevice(plugin, getDefaultDevice());
    usePlugin(plugin);
  }
  watchPlugins(({ file, op }, direction) => {
    const inside: Inside = direction && { file, op, direction };
    writeSync(3, `${JSON.stringify(inside)}\n`);
  });
  return plugins.map(({ file, op }) => `${path.basename(file)} replaces ${op}`);
}

/** Compares the model of a run with and without the plugins. @throws if they differ or a plugin fails */
async function holdPlugins(files: readonly string[], { architecture, classes, clips }: RunOptions): Promise<void> {
  const plugins = files.map((file) => path.resolve(file));
  const model = { ...architecture, numClasses: classes ?? 10 };
  await withProgress({ label: 'checking kernels', total: 0 }, async (bar) => {
    const options = { timeout: TIMEOUT_MS, onStep: (_: string | null, doing: string) => bar.update(0, [doing]) };
    for (const file of plugins) {
      const { op, device, backward } = await describePlugin(file, options);
      requirePluginDevice({ file, device }, getDefaultDevice());
      if (!backward) throw new Error(`${file} has no backward for ${op}: nothing can be trained with it`);
    }
    const job = {
      model,
      crop: clips.crop,
      plugins,
      device: getDefaultDevice(),
      seed: randomInt(2 ** 20),
      threads: threads(),
    };
    const outcome = await runJob('model', job, options);
    if ('problem' in outcome) throw new Error(`${outcome.plugin ?? plugins.join(', ')}: ${outcome.problem}`);
  });
}

/** Starts this command again in its own process group, so that only this process forwards signals, once. */
function startAgain(): ChildProcess {
  // Before the child is there: a signal between the two would leave it running alone.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [WATCHED]: '1' },
    detached: true,
  });
  return child;
}

const describe = ({ file, op, direction }: NonNullable<Inside>) =>
  `${path.basename(file)}, in the ${direction} of ${op},`;

/** Waits for the watched run; resolves to the failure that ended it, or null after a normal exit. */
function watch(child: ChildProcess): Promise<string | null> {
  let [inside, problem]: [Inside, string | null] = [null, null];
  let timer: NodeJS.Timeout | undefined;
  createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => {
    clearTimeout(timer);
    inside = JSON.parse(text) as Inside;
    const during = inside;
    if (during === null) return;
    timer = setTimeout(() => {
      problem = `${describe(during)} hangs: nothing for ${TIMEOUT_MS / 1000} s`;
      child.kill('SIGKILL');
    }, TIMEOUT_MS);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (problem !== null) return resolve(problem);
      if (inside !== null) return resolve(`${describe(inside)} ${describeExit(code, signal)}`);
      process.exitCode = code ?? 1;
      resolve(signal && `the run ${describeExit(code, signal)}, while none of its plugins ran`);
    });
  });
}

/** Trains with plugins: checks them, then runs the same command in a watched process. @throws the failure that ended it */
export async function trainWatched(files: readonly string[], options: RunOptions): Promise<void> {
  await holdPlugins(files, options);
  const problem = await watch(startAgain());
  if (problem === null) return;
  const { last } = runFiles(options.out);
  const saved = existsSync(last)
    ? `${last} has what was saved: go on with --resume, and without the plugin by --accept-changes too`
    : 'nothing was saved yet';
  throw new Error(`${problem}; ${saved}`);
}
