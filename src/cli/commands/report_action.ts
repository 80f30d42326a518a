import { readFacts, type RunFacts } from '../../report/run_facts';
import { readRun, type RunFolder } from '../../report/run_folder';
import { writeRunReport } from '../../report/run_report';
import type { ConfigValue, RunReport } from '../../report/types';
import { openFile } from '../open_file';

/** Facts of a run of an earlier version, which stored none: what its configuration and checkpoints say. */
function factsFromFiles({ folder, config, model, files, best }: RunFolder): RunFacts {
  if (model === null) throw new Error(`${folder}: neither report.json nor a checkpoint: the run has not begun yet`);
  const { name, parameters, macs, input, classNames } = model;
  const source = (key: string) => ({ source: String(config.get(key) ?? '') });
  return {
    ...{ title: folder, status: 'finished', stepsPerEpoch: 0, versions: {}, evaluation: null, classNames },
    model: { name, parameters, macs, input: `${input.frames} × ${input.crop} × ${input.crop}` },
    device: { name: String(config.get('RUN.DEVICE') ?? 'cpu') },
    data: { train: source('RUN.TRAIN_DATA'), val: best && source('RUN.VAL_DATA') },
    checkpoint: best && { file: files.best, epoch: best.epoch },
    config: Object.fromEntries(config) as Record<string, ConfigValue>,
    files: { checkpoint: files.best, 'last state': files.last, configuration: files.config },
  };
}

/** The report of a run as its folder is now. */
function reportOf(folder: string): RunReport {
  const run = readRun(folder);
  const stored = readFacts(run.files.facts);
  if (stored === null)
    console.error(
      `note: ${folder}: an earlier version wrote this run: the page lacks command, device and confusion matrix`,
    );
  const { stepsPerEpoch, ...facts } = stored ?? factsFromFiles(run);
  const { log, status } = stepsPerEpoch > 0 ? readRun(folder, stepsPerEpoch) : run;
  return { ...facts, ...log, status, startedAt: log.startedAt ?? new Date().toISOString() };
}

/** Runs `morphmlp report`. */
export async function report(folder: string, { open = false }: { open?: boolean }): Promise<void> {
  const page = reportOf(folder);
  const file = readRun(folder).files.report;
  await writeRunReport(file, page);
  console.log(`${folder}: ${page.status}, ${page.epochs.length} epochs\nreport      ${file}`);
  if (open) await openFile(file);
}
