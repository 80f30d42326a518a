/** Time limits and ends of decoding processes. */

/** Largest number of steps of a time limit. */
const STEPS = 20;

/**
 * Calls `late` once this process has run for `ms` milliseconds. Unlike a timer's, the time in which the process was stopped (Ctrl-Z, a
 * suspended machine) does not count, because the decoder was stopped too. Returns a function that ends the wait.
 */
export function afterRunning(ms: number, late: () => void): () => void {
  let left = STEPS;
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    late();
  }, ms / STEPS);
  return () => clearInterval(timer);
}

/** Signals of a crash: the program's own fault on the file that it reads. Others, such as SIGKILL, come from outside. */
const CRASHES = new Set<NodeJS.Signals>(['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGABRT', 'SIGTRAP', 'SIGSYS']);

/** Whether a signal says that a program crashed, rather than that it was killed. */
export const isCrash = (signal: NodeJS.Signals | null): boolean => signal !== null && CRASHES.has(signal);

/** Starts of a decoder that is killed from outside while it reads a file. */
export const STARTS = 3;

/** A decoder that is killed again and again. No file is at fault, so the loader skips none. */
export class DecoderKilled extends Error {
  constructor(subject: string, how: string) {
    super(`${subject}: the decoder was ended ${STARTS} times while it read this file (${how}); is the memory used up?`);
  }
}
