import { execFile } from 'node:child_process';
import path from 'node:path';

const root = path.join(__dirname, '..', '..');

/** Runs an example as its README says; `live_bytes.cjs` watches its memory where the test sets LIVE_BYTES. */
export function runExample(name: string, ...args: string[]): Promise<{ status: number; lines: string[]; err: string }> {
  const env = { ...process.env, NO_COLOR: '1' };
  const command = [
    '--require',
    './test/support/live_bytes.cjs',
    '--import',
    'tsx',
    path.join('examples', name),
    ...args,
  ];
  return new Promise((resolve) =>
    execFile(process.execPath, command, { cwd: root, env }, (error, out, err) =>
      resolve({ status: error ? Number(error.code) : 0, lines: out.trimEnd().split('\n'), err }),
    ),
  );
}
