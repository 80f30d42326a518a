import { writeFileSync } from 'node:fs';
import type { Run } from '../train/run';

/** Writes the run's report.html. */
export async function writeRunReport(run: Run): Promise<void> {
  writeFileSync(run.files.report, JSON.stringify(run.trainer.state.history));
}
