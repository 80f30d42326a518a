import pc from 'picocolors';

/** Prints the input specification found in a foreign weights file, and the assumptions, to standard error. */
export function showNotes(file: string, { notes }: { notes: readonly string[] }): void {
  for (const note of notes) console.error(pc.dim(`note: ${file}: ${note}`));
}
