import type { Config } from '../../train/config/keys';
import { countOps } from '../../models/flops';
import { writeRunReport as writeReport } from '../../report/run_report';
import type { RunReport, StepPoint } from '../../report/types';
import type { Run } from '../../train/run';
import { packageVersion } from '../../core/version';
import { deviceFacts } from './device_text';

/** Records that the view collected during the run. */
export interface RunNotes {
  startedAt: Date;
  steps: StepPoint[];
  warnings: string[];
}

/** Writes the run's report.html. */
export function writeRunReport(run: Run, { startedAt, steps, warnings }: RunNotes, config: Config): Promise<void> {
  const { options, trainer, info, loaders, files } = run;
  const { crop, frames } = info.input;
  return writeReport(files.report, {
    title: options.out,
    status: trainer.failed !== null ? 'failed' : trainer.finished ? 'finished' : 'interrupted',
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    command: `morphmlp ${process.argv.slice(2).join(' ')}`,
    model: {
      name: options.name,
      parameters: run.parameters,
      macs: countOps(info.model, { height: crop, width: crop }).macs,
      input: `${frames} × ${crop} × ${crop}`,
    },
    device: deviceFacts(config['RUN.PLUGINS']),
    versions: { morphmlp: packageVersion(), node: process.version },
    data: { train: loaders.train.dataset.describe(), val: loaders.val?.dataset.describe() ?? null },
    classNames: info.classNames,
    steps,
    epochs: trainer.state.history,
    evaluation: trainer.lastEvaluation,
    shares: trainer.shares,
    config: { ...config } as RunReport['config'],
    skipped: run.skipped,
    warnings,
    files: { checkpoint: files.best, 'last state': files.last, configuration: files.config },
  });
}
