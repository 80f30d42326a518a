import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** Reason why a file cannot be written, or null. */
function whyNot(file: string): string | null {
  const folder = path.dirname(path.resolve(file));
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) return 'expected a file, got a folder';
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return `the folder ${folder} does not exist`;
  try {
    accessSync(folder, constants.W_OK);
    return null;
  } catch {
    return `the folder ${folder} cannot be written to`;
  }
}

/**
 * Throws if an output file cannot be written, before minutes of work are lost.
 * @param files paths by option name without dashes; undefined for options that were not given
 */
export function checkOutputs(files: Readonly<Record<string, string | undefined>>): void {
  for (const [option, file] of Object.entries(files)) {
    const reason = file === undefined ? null : whyNot(file);
    if (reason !== null) throw new Error(`--${option} ${file}: ${reason}`);
  }
}
