import path from 'node:path';
import { writeVideo } from '../../data/video/encode';
import { decoderVersion } from '../../data/video/choose';
import { MotionDataset } from '../../data/synthetic/motion';
import type { Run } from '../../train/run';
import { load } from '../../models/load';
import { classify, guessLines, middleClip } from './predict_action';

const EXAMPLE_STREAM = 2; // neither training nor validation clips
const EXAMPLE = 3;

/** How the command line was started: as a package's, or out of a clone, where npx would install the clone first. */
function thisCommand(): string {
  const script = path.relative('', process.argv[1] ?? '');
  const inClone = path.basename(script) === 'morphmlp.js' && !script.includes('node_modules');
  return inClone ? `node ${script}` : 'npx morphmlp';
}

/** After the quick start: encodes a clip that the model has not seen as an .mp4, reads it back and classifies it. */
export async function afterQuickstart(run: Run): Promise<void> {
  const { seed, out } = run.options;
  const file = path.join(out, 'example.mp4');
  try {
    await decoderVersion();
  } catch (error) {
    console.log(`\nno video was classified: ${(error as Error).message}`);
    return;
  }
  const example = new MotionDataset({ seed, stream: EXAMPLE_STREAM, length: 8, size: run.options.testCrop }).render(
    EXAMPLE,
  );
  await writeVideo(example, file);
  const { network, classNames, input } = load(run.files.best);
  const guesses = classify(network, classNames, [await middleClip(file, input)], 3);
  network.dispose();
  console.log(`\n${file} shows '${classNames[example.label]}'; the model says:\n${guessLines(guesses).join('\n')}`);
  console.log(`\nTry it: ${thisCommand()} predict ${file} --checkpoint ${run.files.best}`);
}
