/** The file of weights that a path means. */
import { existsSync, statSync } from 'node:fs';
import { runFiles } from './run_files';

/**
 * The checkpoint at a path: the file itself, or the best weights of a run's folder.
 * @throws if the path is a folder without `best.safetensors`
 */
export function checkpointFile(given: string): string {
  if (statSync(given, { throwIfNoEntry: false })?.isDirectory() !== true) return given;
  const { best, last } = runFiles(given);
  if (existsSync(best)) return best;
  const other = existsSync(last) ? `; it has ${last}` : ", so it is not a run's";
  throw new Error(`${given}: expected a file, got a folder without best.safetensors${other}`);
}
