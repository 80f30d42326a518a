import type { Config } from '../../train/config/keys';
import { DecodePool } from '../../data/video/decode_pool';
import { testClips } from '../../data/video/clip_plan';
import { openDataset } from '../../data/open';
import { writeFileAtomic } from '../../formats/atomic';
import { load } from '../../models/load';
import type { Precision } from '../../core/native';
import type { Testing } from '../../train/options';
import { runFiles } from '../../train/run';
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
}

/** Loads a checkpoint and tests it on a dataset with the same classes. */
export async function runTest({ testing, checkpoint, workers, precision, quiet }: TestSetting): Promise<TestOutcome> {
  const model = load(checkpoint);
  model.network.precision = precision;
  const pool = new DecodePool(workers);
  try {
    showNotes(checkpoint, model);
    const { classNames } = model;
    const opening = { clips: testClips(model.input), known: classNames, knownFrom: checkpoint };
    const dataset = openDataset(testing.data, opening, pool);
    const bar = quiet ? null : new Progress({ label: 'testing', total: dataset.length });
    const onVideo = (done: number) => bar?.update(done);
    const predictions: TestPrediction[] = [];
    const onLogits = (item: number, logits: Float32Array): void => {
      const scores = listedScores(probabilities(logits), classNames);
      const label = classNames[dataset.label(item)]!;
      predictions.push({
        file: dataset.name(item),
        label,
        predicted: classNames[bestClass(logits, 0, logits.length)]!,
        scores,
      });
    };
    const { views, batch } = testing;
    const result = await testViews(model, dataset, { views, batch, onVideo, onLogits });
    bar?.finish();
    return { checkpoint, dataset, info: model, result, predictions };
  } finally {
    model.network.dispose();
    await pool.close();
  }
}

/** Tests the model at the end of a run; prints the result and writes it as JSON. */
export async function testRun(testing: Testing, config: Config): Promise<void> {
  const checkpoint = testing.checkpoint ?? runFiles(config['OUTPUT_DIR']).best;
  const { 'DATA_LOADER.NUM_WORKERS': workers, 'RUN.PRECISION': precision } = config;
  const record = recordOf(await runTest({ testing, checkpoint, workers, precision: precision as Precision }));
  console.log(testText(record));
  showSkippedVideos(record);
  writeFileAtomic(testing.results, (write) => write(Buffer.from(JSON.stringify(record))));
  console.log(`results     ${testing.results}`);
}
