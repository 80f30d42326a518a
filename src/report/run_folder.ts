/** Reads the folder of a run: its configuration, log and checkpoints. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { readCheckpointMeta } from '../formats/checkpoint';
import { countOps } from '../models/flops';
import type { ModelInfo } from '../models/load';
import { readModelInfo } from '../models/model_info';
import { readSettings } from '../train/config/config';
import { modelName } from '../train/config/recipe';
import { runFiles } from '../train/run_files';
import { RunLock } from '../train/run_lock';
import { bestEpoch } from './charts';
import { readMetrics, type MetricRecord } from './jsonl';
import type { EpochPoint, RunReport, SkippedFile, StepPoint, TimeShares } from './types';

/** The model of a run. */
export interface RunModel extends ModelInfo {
  name: string;
  parameters: number;
  /** Multiply-adds of a view. */
  macs: number;
}

/** The log of a run. */
export interface RunLogged {
  steps: StepPoint[];
  epochs: EpochPoint[];
  /** ISO 8601; null before the first record of time. */
  startedAt: string | null;
  seconds: number;
  shares: TimeShares;
  skipped: SkippedFile[];
  damaged: SkippedFile[];
  warnings: string[];
}

/** A run's folder, as it is now. */
export interface RunFolder {
  folder: string;
  files: ReturnType<typeof runFiles>;
  status: RunReport['status'];
  /** Values of config.yaml by key, in its order. */
  config: Map<string, unknown>;
  log: RunLogged;
  /** The first epoch with the greatest accuracy in validation; null without one. */
  best: EpochPoint | null;
  /** From the checkpoint; null before the first. */
  model: RunModel | null;
}

const NO_SHARES: TimeShares = { data: 0, forward: 0, backward: 0, optimizer: 0 };

/** Optimizer steps per epoch, from the first epoch of a log; 0 before its end. */
function stepsPerEpoch(records: readonly MetricRecord[]): number {
  const first = records.find(({ kind }) => kind === 'epoch');
  return first ? first.step / Number(first['epoch']) : 0;
}

/** The content of a log. @param perEpoch steps per epoch, where it is known */
function loggedOf(records: readonly MetricRecord[], perEpoch = stepsPerEpoch(records)): RunLogged {
  const of = (kind: MetricRecord['kind']) => records.filter((record) => record.kind === kind);
  const files = (part: boolean): SkippedFile[] =>
    of('file')
      .filter((record) => record['part'] === part)
      .map(({ name, reason }) => ({ name: String(name), reason: String(reason) }));
  const time = of('time').at(-1) as Partial<Pick<RunLogged, 'startedAt' | 'seconds' | 'shares'>> | undefined;
  return {
    steps: of('step').map(({ step, loss, learningRate }) => ({
      ...{ step, epoch: perEpoch > 0 ? step / perEpoch : 0 },
      ...{ loss: Number(loss), learningRate: Number(learningRate) },
    })),
    epochs: of('epoch').map(({ kind: _, step: __, ...epoch }) => epoch as unknown as EpochPoint),
    ...{ startedAt: time?.startedAt ?? null, seconds: time?.seconds ?? 0, shares: time?.shares ?? NO_SHARES },
    ...{ skipped: files(false), damaged: files(true), warnings: of('warning').map(({ text }) => String(text)) },
  };
}

function modelOf({ best, last }: RunFolder['files']): RunModel | null {
  const file = [best, last].find((one) => existsSync(one));
  const info = file === undefined ? null : readModelInfo(readCheckpointMeta(file));
  if (info === null) return null;
  const { crop } = info.input;
  const { params, macs } = countOps(info.model, { height: crop, width: crop });
  return { ...info, name: modelName(info.model), parameters: params, macs };
}

function statusOf(folder: string, { epochs }: RunLogged, wanted: number): RunFolder['status'] {
  if (RunLock.isHeld(folder)) return 'running';
  const last = epochs.at(-1) as (EpochPoint & { nonFinite?: true }) | undefined;
  if (last?.nonFinite) return 'failed';
  return (last?.epoch ?? 0) >= wanted ? 'finished' : 'interrupted';
}

/** Whether a folder has the log of a run. */
export const isRun = (folder: string): boolean => existsSync(runFiles(folder).metrics);

/**
 * Reads the folder of a run, also of one that goes on.
 * @param perEpoch optimizer steps per epoch; default: as the log's first epoch says
 * @throws if the folder has no log, or a file in it is damaged
 */
export function readRun(folder: string, perEpoch?: number): RunFolder {
  const files = runFiles(folder);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`${folder}: no such folder; expected the folder of a run`);
  if (!isRun(folder)) throw new Error(`${folder}: expected the folder of a run, found no metrics.jsonl in it`);
  const settings = existsSync(files.config) ? readSettings(files.config) : [];
  const config = new Map(settings.map(({ key, value }) => [key, value]));
  const log = loggedOf(readMetrics(files.metrics).records, perEpoch);
  const status = statusOf(folder, log, Number(config.get('SOLVER.MAX_EPOCH') ?? Infinity));
  return { folder, files, status, config, log, best: bestEpoch(log.epochs), model: modelOf(files) };
}

/** Folders searched below the given one. */
const DEPTH = 3;

/** The folders of runs at or below a folder, sorted by name. @throws if there is no such folder */
export function findRuns(folder: string, depth = DEPTH): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`${folder}: no such folder; expected a folder of runs`);
  if (isRun(folder)) return [folder];
  if (depth === 0) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return below.flatMap(({ name }) => findRuns(path.join(folder, name), depth - 1)).sort();
}
