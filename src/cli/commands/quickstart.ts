import path from 'node:path';
import { hasFfmpeg } from '../../data/video/ffmpeg';
import { writeVideo } from '../../data/video/encode';
import { MotionDataset } from '../../data/synthetic/motion';
import type { Source } from '../../data/source';
import { VideoDataset } from '../../data/video/video_dataset';
import type { Run } from '../../train/run';
import { load } from '../../models/load';
import { printable } from '../../terminal/text_width';
import { classify, guessLines, middleClip } from './predict_action';

const EXAMPLE_STREAM = 2; // neither training nor validation clips
const EXAMPLE = 3;

/** How the command line was started: as a package's, or out of a clone, where npx would install the clone first. */
function thisCommand(): string {
  const script = path.relative('', process.argv[1] ?? '');
  const inClone = path.basename(script) === 'morphmlp.js' && !script.includes('node_modules');
  return inClone ? `node ${script}` : 'npx morphmlp';
}

/** A clip to show: where it is, its class, and how to read it where the name does not say. */
interface Example {
  file: string;
  label: number;
  source?: Source | undefined;
}

/** A clip of the embedded dataset that is in neither split, encoded as an .mp4. */
async function drawnExample(run: Run): Promise<Example> {
  const { seed, out, testCrop } = run.options;
  const file = path.join(out, 'example.mp4');
  const drawn = new MotionDataset({ seed, stream: EXAMPLE_STREAM, length: 8, size: testCrop }).render(EXAMPLE);
  await writeVideo(drawn, file);
  return { file, label: drawn.label };
}

/** The first validation clip that could be read; null where there is none. */
function ownExample({ loaders: { val } }: Run): Example | null {
  if (!(val?.dataset instanceof VideoDataset)) return null;
  const unread = new Set([...val.skipped.values()].map(({ name }) => name));
  const item = val.dataset.listing.items.find(({ path: name }) => !unread.has(name));
  return item ? { file: item.path, label: item.label, source: item.source } : null;
}

/** After the quick start: classifies a video that the model was not trained on, drawn or from the user's validation clips. */
export async function afterQuickstart(run: Run): Promise<void> {
  if (!(await hasFfmpeg())) {
    console.log('\nFFmpeg is not on the PATH, so no video was classified (Debian: apt-get install ffmpeg).');
    return;
  }
  const example = run.options.train.kind === 'motion' ? await drawnExample(run) : ownExample(run);
  if (example === null) return;
  const { file, label, source } = example;
  const { network, classNames, input } = load(run.files.best);
  const guesses = classify(network, classNames, [await middleClip(source ?? file, input)], 3);
  network.dispose();
  const shown = printable(path.relative('', file));
  console.log(
    `\n${shown} shows '${printable(classNames[label]!)}'; the model says:\n${guessLines(guesses).join('\n')}`,
  );
  if (source === undefined) console.log(`\nTry it: ${thisCommand()} predict ${shown} --checkpoint ${run.files.best}`);
}
