/** The output whose cursor is hidden: process.stderr, or a substitute in tests. */
export interface Terminal {
  write(text: string): unknown;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const hidden = new Set<Terminal>();

function showAll(): void {
  for (const terminal of [...hidden]) showCursor(terminal);
}

/** Shows the cursor, then repeats the signal if nobody else handles it, so that it ends the process as by default. */
function onSignal(signal: NodeJS.Signals): void {
  showAll();
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function watch(): void {
  process.on('exit', showAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

function unwatch(): void {
  process.off('exit', showAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** Hides the cursor of a terminal until `showCursor`, or until the process exits or is interrupted. */
export function hideCursor(terminal: Terminal): void {
  if (hidden.has(terminal)) return;
  if (hidden.size === 0) watch();
  hidden.add(terminal);
  terminal.write('\x1b[?25l');
}

/** Shows the cursor if `hideCursor` hid it. */
export function showCursor(terminal: Terminal): void {
  if (!hidden.delete(terminal)) return;
  terminal.write('\x1b[?25h');
  if (hidden.size === 0) unwatch();
}
