import path from 'node:path';
import { writeVideo } from '../../data/video/encode';
import { decoderVersion } from '../../data/video/choose';
import { MotionDataset } from '../../data/synthetic/motion';
import { sourceOf, type Source } from '../../data/source';
import { isUnreadable, type Clip } from '../../data/types';
import { readViews } from '../../data/video/video_clips';
import { VideoDataset } from '../../data/video/video_dataset';
import type { Run } from '../../train/run';
import { load, type InputSpec } from '../../models/load';
import { printable } from '../../terminal/text_width';
import { bestScores } from '../../train/scores';
import { meanOfRows, probabilities, viewLogits } from '../../train/views';
import { guessLines } from './predict_output';

const EXAMPLE_STREAM = 2; // neither training nor validation clips
const EXAMPLE = 3;

/** Command prefix for hints: npx for an installed package; in a clone the script, because npx would install the clone first. */
export function thisCommand(): string {
  const script = path.relative('', process.argv[1] ?? '');
  const inClone = path.basename(script) === 'morphmlp.js' && !script.includes('node_modules');
  return inClone ? `node ${script}` : 'npx morphmlp';
}

/** Example video: its name, true class and source. */
interface Example {
  file: string;
  label: number;
  source: Source;
}

/** An unseen synthetic clip, encoded as an .mp4. */
async function drawnExample({ options: { seed, out, testCrop } }: Run): Promise<Example> {
  const file = path.join(out, 'example.mp4');
  const drawn = new MotionDataset({ seed, stream: EXAMPLE_STREAM, length: 8, size: testCrop }).render(EXAMPLE);
  await writeVideo(drawn, file);
  return { file, label: drawn.label, source: sourceOf(file) };
}

/** The first readable validation clip. */
async function firstReadable(
  dataset: VideoDataset,
  input: InputSpec,
): Promise<{ example: Example; clips: Clip[] } | null> {
  for (const { path: file, label, source = sourceOf(file) } of dataset.listing.items) {
    try {
      return { example: { file, label, source }, clips: await readViews(source, input) };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
  }
  return null;
}

async function exampleOf(run: Run, input: InputSpec): Promise<{ example: Example; clips: Clip[] } | null> {
  const { train, val } = run.loaders;
  if (val?.dataset instanceof VideoDataset) return firstReadable(val.dataset, input);
  if (!(train.dataset instanceof MotionDataset)) return null;
  try {
    await decoderVersion();
  } catch (error) {
    console.log(`\nno video was classified: ${(error as Error).message}`);
    return null;
  }
  const example = await drawnExample(run);
  return { example, clips: await readViews(example.source, input) };
}

/**
 * Classifies a video after the quick start. On the embedded data this is an unseen clip, encoded as an .mp4
 * and read back; on the user's data it is a validation clip, if there is one.
 */
export async function afterQuickstart(run: Run): Promise<void> {
  const model = load(run.files.best);
  try {
    const found = await exampleOf(run, model.input);
    if (!found) return;
    const { example, clips } = found;
    const file = printable(path.relative('', example.file));
    model.network.eval();
    const scores = probabilities(meanOfRows(viewLogits(model, clips)));
    const lines = guessLines(bestScores(scores, model.classNames, 3)).join('\n');
    console.log(`\n${file} shows '${printable(model.classNames[example.label]!)}'; the model says:\n${lines}`);
    const { source } = example;
    if (!(source.kind === 'video' || source.kind === 'image') || source.part) return; // predict takes files
    console.log(`\nTry it: ${thisCommand()} predict ${file} --checkpoint ${run.files.best}`);
  } finally {
    model.network.dispose();
  }
}
