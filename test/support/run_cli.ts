import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** The command line, as it is installed. */
export const CLI = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');

/** What a run of the command line left. */
export interface CliResult {
  status: number | null;
  out: string;
  err: string;
}

/** Runs the built command line, without colours; `input` goes to its standard input, `more` to its environment. */
export function runCli(args: readonly string[], input?: Buffer, more: NodeJS.ProcessEnv = {}): CliResult {
  const env = { ...process.env, NO_COLOR: '1', ...more };
  const options = { encoding: 'utf8', env, maxBuffer: 2 ** 26, ...(input ? { input } : {}) } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], options);
  return { status, out: stdout, err: stderr };
}
