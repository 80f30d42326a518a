import pc from 'picocolors';

/** Prints what a weights file from elsewhere says of its input, and what was assumed, to standard error. */
export function showNotes(file: string, { notes }: { notes: readonly string[] }): void {
  for (const note of notes) console.error(pc.dim(`note: ${file}: ${note}`));
}
