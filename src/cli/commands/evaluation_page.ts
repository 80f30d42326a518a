import { packageVersion } from '../../core/version';
import { countOps } from '../../models/flops';
import { modelName } from '../../train/config/recipe';
import { writeEvaluation } from '../../report/evaluation_page';
import { deviceText } from './device_text';
import type { TestOutcome, TestRecord } from './test_record';

/** Writes the page of an evaluation to `file`. */
export function writeEvaluationPage(file: string, outcome: TestOutcome, record: TestRecord): Promise<void> {
  const { info, result, checkpoint } = outcome;
  const { crop, frames } = info.input;
  const { params, macs } = countOps(info.model, { height: crop, width: crop });
  return writeEvaluation(file, {
    title: checkpoint,
    at: new Date().toISOString(),
    command: `morphmlp ${process.argv.slice(2).join(' ')}`,
    model: { name: modelName(info.model), parameters: params, macs, input: `${frames} × ${crop} × ${crop}` },
    device: deviceText(),
    versions: { morphmlp: packageVersion(), node: process.version },
    data: record.data,
    classNames: info.classNames,
    evaluation: { ...result.evaluation, views: result.views },
    skipped: result.skipped,
    files: { checkpoint },
  });
}
