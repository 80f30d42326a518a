/** Temporary folders of commands, which are removed also when a signal ends the command. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A folder under the system's folder for temporary files. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder with its content. A second call does nothing. */
  dispose(): void;
}

/** Creates a temporary folder. SIGINT, SIGTERM and SIGHUP remove it and then end the process as they would without it. */
export function temporaryFolder(): TemporaryFolder {
  const dispose = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, end);
    rmSync(folder, { recursive: true, force: true });
  };
  const end = (signal: NodeJS.Signals): void => {
    dispose();
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  // Before the folder is there: a signal between the two would leave it behind.
  for (const signal of SIGNALS) process.on(signal, end);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
  return { path: folder, dispose };
}
