import type { Config } from '../../train/config/keys';
import { countOps } from '../../models/flops';
import { saveFacts, type RunFacts } from '../../report/run_facts';
import { writeRunReport as writeReport } from '../../report/run_report';
import type { RunReport } from '../../report/types';
import type { Evaluation } from '../../train/evaluate';
import type { Run } from '../../train/run';
import { packageVersion } from '../../core/version';
import { deviceFacts } from './device_text';
import type { RunLog } from './run_log';

/** What the page shows besides the log. */
function factsOf(run: Run, config: Config, status: RunReport['status'], evaluation: Evaluation | null): RunFacts {
  const { options, trainer, info, loaders, files } = run;
  const { crop, frames } = info.input;
  const { bestEpoch } = trainer;
  return {
    title: options.out,
    status,
    command: `morphmlp ${process.argv.slice(2).join(' ')}`,
    model: {
      name: options.name,
      ...(info.model.task ? { task: info.model.task } : {}),
      parameters: run.parameters,
      macs: countOps(info.model, { height: crop, width: crop }).macs,
      input: `${frames} × ${crop} × ${crop}`,
    },
    device: deviceFacts(config['RUN.PLUGINS']),
    versions: { morphmlp: packageVersion(), node: process.version },
    data: { train: loaders.train.dataset.describe(), val: loaders.val?.dataset.describe() ?? null },
    classNames: info.classNames,
    stepsPerEpoch: (loaders.train.batches * options.microBatch) / options.batchSize,
    checkpoint: bestEpoch === null ? null : { file: files.best, epoch: bestEpoch },
    evaluation,
    config: { ...config } as RunReport['config'],
    files: { checkpoint: files.best, 'last state': files.last, configuration: files.config },
  };
}

/** Writes report.json of a run that begins, from which `morphmlp report` makes the page. */
export async function writeRunFacts(run: Run, config: Config): Promise<void> {
  await saveFacts(run.files.facts, factsOf(run, config, 'running', run.trainer.bestEvaluation));
}

/**
 * Writes the run's report.html, and report.json beside it.
 * @param evaluation validation of the best epoch
 */
export async function writeRunReport(
  run: Run,
  log: RunLog,
  config: Config,
  status: RunReport['status'],
  evaluation: Evaluation | null,
): Promise<void> {
  const facts = await saveFacts(run.files.facts, factsOf(run, config, status, evaluation));
  await writeReport(run.files.report, {
    ...facts,
    ...log.spent,
    steps: log.steps,
    epochs: run.trainer.state.history,
    ...log.found,
    warnings: log.warnings,
  });
}
