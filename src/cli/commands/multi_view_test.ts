import type { Config } from '../../train/config/keys';
import { DecodePool } from '../../data/video/decode_pool';
import { testClips } from '../../data/video/clip_plan';
import { openDataset } from '../../data/open';
import { writeFileAtomic } from '../../formats/atomic';
import { neighbours } from '../../distributed/processors';
import { ALONE, type Ranks } from '../../distributed/ranks';
import type { Precision } from '../../core/native';
import type { Testing } from '../../train/options';
import { runFiles } from '../../train/run';
import { loadShared } from '../../train/shared_state';
import { testViews } from '../../train/multi_view';
import { bestClass } from '../../train/metrics';
import { listedScores } from '../../train/scores';
import { probabilities } from '../../train/views';
import { showNotes } from './notes';
import { Progress } from '../../terminal/progress';
import { recordOf, showSkippedVideos, testText, type TestOutcome, type TestPrediction } from './test_record';

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
export async function runTest(setting: TestSetting): Promise<TestOutcome> {
  const { testing, checkpoint, workers, precision, quiet, ranks = ALONE } = setting;
  const model = loadShared(checkpoint, ranks);
  model.network.precision = precision;
  const { local } = neighbours(ranks.seats, ranks.rank);
  const pool = new DecodePool(Math.max(1, Math.floor(workers / local)));
  try {
    if (ranks.isMain) showNotes(checkpoint, model);
    const { classNames } = model;
    const opening = { clips: testClips(model.input), known: classNames, knownFrom: checkpoint };
    const dataset = openDataset(testing.data, opening, pool);
    const bar = quiet || !ranks.isMain ? null : new Progress({ label: 'testing', total: dataset.length });
    const onVideo = (done: number) => bar?.update(done);
    const own: (TestPrediction & { item: number })[] = [];
    const onLogits = (item: number, logits: Float32Array): void => {
      const scores = listedScores(probabilities(logits), classNames);
      const label = classNames[dataset.label(item)]!;
      own.push({
        item,
        file: dataset.name(item),
        label,
        predicted: classNames[bestClass(logits, 0, logits.length)]!,
        scores,
      });
    };
    const { views, batch } = testing;
    const result = await testViews(model, dataset, { views, batch, onVideo, onLogits, ranks });
    bar?.finish();
    const all = ranks.gatherJson(own).flat();
    const predictions = all.sort((a, b) => a.item - b.item).map(({ item: _, ...prediction }) => prediction);
    return { checkpoint, dataset, info: model, result, predictions };
  } finally {
    model.network.dispose();
    await pool.close();
  }
}

/** Tests the model at the end of a run; prints the result and writes it as JSON, as the main of several ranks. */
export async function testRun(testing: Testing, config: Config, ranks: Ranks): Promise<void> {
  const checkpoint = testing.checkpoint ?? runFiles(config['OUTPUT_DIR']).best;
  const { 'DATA_LOADER.NUM_WORKERS': workers, 'RUN.PRECISION': precision } = config;
  const outcome = await runTest({ testing, checkpoint, workers, precision: precision as Precision, ranks });
  if (!ranks.isMain) return;
  const record = recordOf(outcome);
  console.log(testText(record));
  showSkippedVideos(record);
  writeFileAtomic(testing.results, (write) => write(Buffer.from(JSON.stringify(record))));
  console.log(`results     ${testing.results}`);
}
