/** Opens a file in the program that the desktop has for it. */
import { spawn } from 'node:child_process';
import path from 'node:path';

/** The program that opens files on this system, and its arguments. */
function opener(file: string): [program: string, ...args: string[]] {
  if (process.platform === 'darwin') return ['open', file];
  if (process.platform === 'win32') return ['cmd', '/c', 'start', '', file];
  return ['xdg-open', file];
}

/** Milliseconds after which a program that still runs counts as having opened the file: it may be the browser itself. */
const OPENED_MS = 4000;

/**
 * Opens a file in the browser.
 * @throws if there is no program for it, or it fails: with the path to open by hand
 */
export function openFile(file: string): Promise<void> {
  const full = path.resolve(file);
  const [program, ...args] = opener(full);
  const byHand = `open ${full} in a browser`;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'ignore', detached: true });
    child.unref();
    const timer = setTimeout(resolve, OPENED_MS);
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = error.code === 'ENOENT' ? `${program} is not on the PATH` : `${program}: ${error.message}`;
      reject(new Error(`the page was not opened: ${why}; ${byHand}`, { cause: error }));
    });
    child.once('exit', (status) => {
      clearTimeout(timer);
      if (status === 0) resolve();
      else reject(new Error(`the page was not opened: ${program} ended with status ${status}; ${byHand}`));
    });
  });
}

/** A function that opens a file at its first call, without waiting; `onProblem` is told why that failed. */
export function openOnce(file: string, onProblem: (message: string) => void): () => void {
  let opened = false;
  return () => {
    if (opened) return;
    opened = true;
    openFile(file).catch((error: Error) => onProblem(error.message));
  };
}
