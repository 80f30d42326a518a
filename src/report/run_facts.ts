/** What the page of a run shows besides its log: stored beside it, so that the page can be written anew. */
import { existsSync } from 'node:fs';
import { writeFileAtomic } from '../formats/atomic';
import { readWholeFile } from '../formats/file';
import { withStrips } from './mistakes';
import type { RunReport } from './types';

/** Parts of a report that are in the run's log. */
type Logged = 'steps' | 'epochs' | 'startedAt' | 'seconds' | 'shares' | 'skipped' | 'damaged' | 'warnings';

/** Parts of a report that are not in the run's log. */
export type RunFacts = Omit<RunReport, Logged> & { stepsPerEpoch: number };

const FORMAT = 'morphmlp-report';

/** Writes facts as JSON, atomically. Returns them with the mistakes drawn, as `readFacts` would. */
export async function saveFacts(file: string, facts: RunFacts): Promise<RunFacts> {
  const { evaluation } = facts;
  const stored = { ...facts, evaluation: evaluation && (await withStrips(evaluation)) };
  const text = JSON.stringify({ format: FORMAT, version: 1, ...stored });
  writeFileAtomic(file, (write) => write(Buffer.from(text)));
  return stored;
}

/** Reads the facts of a run; null if it has none. @throws if the file is not one that `saveFacts` wrote */
export function readFacts(file: string): RunFacts | null {
  if (!existsSync(file)) return null;
  const text = readWholeFile(file).toString();
  let found: { format?: unknown; version?: unknown };
  try {
    found = JSON.parse(text) as typeof found;
  } catch (error) {
    throw new Error(`${file}: expected JSON: ${(error as Error).message}`, { cause: error });
  }
  if (found.format !== FORMAT || found.version !== 1)
    throw new Error(`${file}: expected "format": "${FORMAT}", "version": 1, got "${text.slice(0, 60)}"`);
  return found as unknown as RunFacts;
}
