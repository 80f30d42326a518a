import pc from 'picocolors';
import type { Config } from '../../train/config/keys';
import { DecodePool } from '../../data/video/decode_pool';
import { testClips } from '../../data/video/clip_plan';
import { openDataset } from '../../data/open';
import { viewCount } from '../../data/sampling';
import type { Dataset } from '../../data/types';
import { writeFileAtomic } from '../../formats/atomic';
import { countOps } from '../../models/flops';
import { neighbours } from '../../distributed/processors';
import { ALONE, type Ranks } from '../../distributed/ranks';
import type { ModelInfo } from '../../models/load';
import type { Precision } from '../../core/native';
import type { Testing } from '../../train/options';
import { runFiles } from '../../train/run';
import { loadShared } from '../../train/shared_state';
import { testViews, type TestResult } from '../../train/multi_view';
import { macs, percent } from '../../terminal/format';
import { showNotes } from './notes';
import { Progress } from '../../terminal/progress';
import { displayWidth, padWidth, printable } from '../../terminal/text_width';

/** Results of a test as written to JSON: accuracies in [0, 1], `confusion[true][predicted]` counts videos. */
export interface TestRecord {
  checkpoint: string;
  data: Record<string, string | number>;
  views: { clips: number; crops: number };
  /** Multiply-adds of one view and of all views of a video. */
  macsPerView: number;
  macsPerVideo: number;
  videos: number;
  loss: number;
  top1: number;
  top5: number;
  /** Results of the single view: middle clip, centre crop. */
  single: { loss: number; top1: number; top5: number };
  classes: { name: string; videos: number; top1: number | null }[];
  confusion: number[][];
  classNames: string[];
  skipped: { name: string; reason: string }[];
}

function recordOf(checkpoint: string, dataset: Dataset, info: ModelInfo, result: TestResult): TestRecord {
  const { views, evaluation, single, skipped } = result;
  const { crop } = info.input;
  const macsPerView = countOps(info.model, { height: crop, width: crop }).macs;
  const classes = info.classNames.map((name, i) => {
    const row = evaluation.confusion[i]!;
    const videos = row.reduce((a, b) => a + b, 0);
    return { name, videos, top1: videos === 0 ? null : row[i]! / videos };
  });
  const { clips, loss, top1, top5, confusion } = evaluation;
  return {
    ...{ checkpoint, data: dataset.describe(), views, macsPerView, macsPerVideo: macsPerView * viewCount(views) },
    ...{ videos: clips, loss, top1, top5, single: { loss: single.loss, top1: single.top1, top5: single.top5 } },
    ...{ classes, confusion, classNames: info.classNames, skipped },
  };
}

/** Classes to print: all if there are few, else the worst. */
const FEW = 20;

/** The accuracy of each class that has clips. */
function classLines({ classes }: TestRecord): string[] {
  const seen = classes.filter((c): c is typeof c & { top1: number } => c.top1 !== null);
  const shown = seen.length <= FEW ? seen : [...seen].sort((a, b) => a.top1 - b.top1).slice(0, FEW);
  const width = Math.max(...shown.map((c) => displayWidth(printable(c.name))));
  const lines = shown.map((c) => `  ${padWidth(printable(c.name), width)}  ${percent(c.top1)} of ${c.videos}`);
  const left = seen.length - shown.length;
  return left > 0 ? [...lines, `  the worst ${FEW} classes; ${left} more have clips`] : lines;
}

/** Text about a test: result, cost, and the single view. */
export function testText(record: TestRecord): string {
  const { views, single, videos, macsPerView, macsPerVideo, top1, top5, loss } = record;
  const several = views.clips * views.crops > 1;
  const cost = several
    ? `${views.clips} clips x ${views.crops} crops of each, ${macs(macsPerView)} a view, ${macs(macsPerVideo)} a video`
    : `1 view each, ${macs(macsPerView)}`;
  return [
    `top-1 ${pc.bold(percent(top1))}  top-5 ${percent(top5)}  loss ${loss.toFixed(4)}  on ${videos} clips, ${cost}`,
    ...(several
      ? [
          `top-1 ${percent(single.top1)}  top-5 ${percent(single.top5)}  loss ${single.loss.toFixed(4)}  with 1 view each`,
        ]
      : []),
    ...classLines(record),
  ].join('\n');
}

/** Settings of a test. */
export interface TestSetting {
  testing: Pick<Testing, 'data' | 'views' | 'batch'>;
  checkpoint: string;
  workers: number;
  /** Element type of activations. */
  precision: Precision;
  /** Whether to show progress. */
  quiet?: boolean;
  /** Processes that share out the videos. Default this one alone. */
  ranks?: Ranks;
}

/** Loads a checkpoint and tests it on a dataset with the same classes. */
export async function runTest(setting: TestSetting): Promise<TestRecord> {
  const { testing, checkpoint, workers, precision, quiet, ranks = ALONE } = setting;
  const model = loadShared(checkpoint, ranks);
  model.network.precision = precision;
  const { local } = neighbours(ranks.seats, ranks.rank);
  const pool = new DecodePool(Math.max(1, Math.floor(workers / local)));
  try {
    if (ranks.isMain) showNotes(checkpoint, model);
    const opening = { clips: testClips(model.input), known: model.classNames, knownFrom: checkpoint };
    const dataset = openDataset(testing.data, opening, pool);
    const bar = quiet || !ranks.isMain ? null : new Progress({ label: 'testing', total: dataset.length });
    const onVideo = (done: number) => bar?.update(done);
    const { views, batch } = testing;
    const result = await testViews(model, dataset, { views, batch, onVideo, ranks });
    bar?.finish();
    return recordOf(checkpoint, dataset, model, result);
  } finally {
    model.network.dispose();
    await pool.close();
  }
}

/** Prints the unreadable files to standard error. */
export function showSkippedVideos({ skipped }: TestRecord): void {
  if (skipped.length === 0) return;
  console.error(`${skipped.length} files skipped:\n${skipped.map((s) => `  ${printable(s.reason)}`).join('\n')}`);
}

/** Tests the model at the end of a run; prints the result and writes it as JSON, as the main of several ranks. */
export async function testRun(testing: Testing, config: Config, ranks: Ranks): Promise<void> {
  const checkpoint = testing.checkpoint ?? runFiles(config['OUTPUT_DIR']).best;
  const { 'DATA_LOADER.NUM_WORKERS': workers, 'RUN.PRECISION': precision } = config;
  const record = await runTest({ testing, checkpoint, workers, precision: precision as Precision, ranks });
  if (!ranks.isMain) return;
  console.log(testText(record));
  showSkippedVideos(record);
  writeFileAtomic(testing.results, (write) => write(Buffer.from(JSON.stringify(record))));
  console.log(`results     ${testing.results}`);
}
