import type { Config } from '../../train/config/keys';
import { countOps } from '../../models/flops';
import { writeRunReport as writeReport } from '../../report/run_report';
import type { RunReport } from '../../report/types';
import type { Evaluation } from '../../train/evaluate';
import type { Run } from '../../train/run';
import { packageVersion } from '../../core/version';
import { deviceFacts } from './device_text';
import type { RunLog } from './run_log';

/**
 * Writes the run's report.html.
 * @param evaluation validation of the best epoch
 */
export function writeRunReport(
  run: Run,
  log: RunLog,
  config: Config,
  status: RunReport['status'],
  evaluation: Evaluation | null,
): Promise<void> {
  const { options, trainer, info, loaders, files } = run;
  const { crop, frames } = info.input;
  const { bestEpoch } = trainer;
  return writeReport(files.report, {
    title: options.out,
    status,
    ...log.spent,
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
    steps: log.steps,
    epochs: trainer.state.history,
    checkpoint: bestEpoch === null ? null : { file: files.best, epoch: bestEpoch },
    evaluation,
    config: { ...config } as RunReport['config'],
    ...log.found,
    warnings: log.warnings,
    files: { checkpoint: files.best, 'last state': files.last, configuration: files.config },
  });
}
