import { specOf } from '../../data/open';
import type { Device, Precision } from '../../core/native';
import { writeFileAtomic } from '../../formats/atomic';
import { detectLaunch } from '../../distributed/launch';
import { checkpointFile } from '../../train/checkpoint_file';
import { writeEvaluationPage } from './evaluation_page';
import { joinRanks, shareThreads, useDevice } from './join_ranks';
import { runTest } from './multi_view_test';
import { evaluateMasks } from './evaluate_masks_action';
import type { SegmentFlags } from './segment_options';
import { expectNoSegmentFlags, segmenterFile } from './segmenter_file';
import { checkOutputs } from './outputs';
import { predictionsCsv, recordOf, showSkippedVideos, testText } from './test_record';

/** Arguments of `morphmlp evaluate`. */
export interface EvaluateArguments extends SegmentFlags {
  data: string;
  checkpoint: string;
  batchSize: number;
  workers: number;
  separator: string;
  clips: number;
  crops: '1' | '3';
  device: Device;
  precision: Precision;
  csv?: string;
  html?: string;
  json?: boolean;
  rankTimeout?: number;
  reduceZeroLabel?: boolean;
}

/** Runs `morphmlp evaluate`. */
export async function evaluate(given: EvaluateArguments): Promise<void> {
  const { data, batchSize, workers, separator, clips, crops, csv, html, json = false } = given;
  const segmenter = segmenterFile(given.checkpoint);
  if (segmenter !== null) {
    const other = (['csv', 'html'] as const).find((name) => given[name] !== undefined);
    if (other) throw new Error(`--${other} is of models that classify clips; give --json`);
    if (detectLaunch() !== null) throw new Error('evaluate of a segmentation model runs in one process');
    return evaluateMasks(segmenter, given);
  }
  expectNoSegmentFlags(given.checkpoint, given);
  const ranks = joinRanks({ timeout: given.rankTimeout });
  const checkpoint = ranks.agree(() => {
    useDevice(ranks, given.device);
    shareThreads(ranks);
    if (ranks.isMain) checkOutputs({ csv, html });
    return checkpointFile(given.checkpoint);
  });
  const views = { clips, crops: Number(crops) as 1 | 3 };
  const testing = { data: specOf(data, separator), views, batch: batchSize };
  const outcome = await runTest({ testing, checkpoint, workers, precision: given.precision, quiet: json, ranks });
  if (!ranks.isMain) return;
  const record = recordOf(outcome);
  if (csv !== undefined) writeFileAtomic(csv, (write) => write(Buffer.from(predictionsCsv(record))));
  if (html !== undefined) await writeEvaluationPage(html, outcome, record);
  if (json) return console.log(JSON.stringify(record));
  console.log(testText(record));
  showSkippedVideos(record);
  console.log(`checkpoint  ${checkpoint}`);
  if (csv !== undefined) console.log(`predictions ${csv}`);
  if (html !== undefined) console.log(`report      ${html}`);
}
