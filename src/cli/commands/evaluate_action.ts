import { specOf } from '../../data/open';
import type { Device, Precision } from '../../core/native';
import { setDefaultDevice } from '../../core/tensor';
import { joinRanks, shareThreads } from './join_ranks';
import { runTest, showSkippedVideos, testText } from './multi_view_test';

/** Arguments of `morphmlp evaluate`. */
export interface EvaluateArguments {
  data: string;
  checkpoint: string;
  batchSize: number;
  workers: number;
  separator: string;
  clips: number;
  crops: '1' | '3';
  device: Device;
  precision: Precision;
  json?: boolean;
  rankTimeout?: number;
}

/** Runs `morphmlp evaluate`. */
export async function evaluate(given: EvaluateArguments): Promise<void> {
  const { data, checkpoint, batchSize, workers, separator, clips, crops, json = false } = given;
  const ranks = joinRanks({ timeout: given.rankTimeout });
  ranks.agree(() => {
    setDefaultDevice(given.device);
    shareThreads(ranks);
  });
  const views = { clips, crops: Number(crops) as 1 | 3 };
  const testing = { data: specOf(data, separator), views, batch: batchSize };
  const record = await runTest({ testing, checkpoint, workers, precision: given.precision, quiet: json, ranks });
  if (!ranks.isMain) return;
  if (json) return console.log(JSON.stringify(record));
  console.log(testText(record));
  showSkippedVideos(record);
}
