import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** The installed command line. */
export const CLI = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');

/** The result of a run of the command line. */
export interface CliResult {
  status: number | null;
  out: string;
  err: string;
}

/** Runs the built command line without colours; `input` is its standard input, `more` extends its environment. */
export function runCli(args: readonly string[], input?: Buffer, more: NodeJS.ProcessEnv = {}): CliResult {
  const env = { ...process.env, NO_COLOR: '1', ...more };
  const options = { encoding: 'utf8', env, maxBuffer: 2 ** 26, ...(input ? { input } : {}) } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], options);
  return { status, out: stdout, err: stderr };
}
