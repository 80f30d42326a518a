import { DecodePool } from '../../data/video/decode_pool';
import type { Views } from '../../data/sampling';
import type { InputSpec } from '../../data/input_spec';
import { allViews, testClips } from '../../data/video/clip_plan';
import { checkSliding, slidingClips, type Sliding } from '../../data/video/windows';
import type { Clip } from '../../data/types';
import { load, type LoadedModel } from '../../models/load';
import { setDefaultDevice } from '../../core/tensor';
import { TimelineData, writeTimeline } from '../../report/timeline';
import { checkpointFile } from '../../train/checkpoint_file';
import { meanOfRows, probabilities, viewLogits } from '../../train/views';
import { showNotes } from './notes';
import { checkOutputs } from './outputs';
import { fileInputs, standardInput, type Input, type StreamInput } from './predict_inputs';
import type { PredictArguments } from './predict_arguments';
import { predictMask } from './predict_mask_action';
import { PredictOutput } from './predict_output';
import { expectNoSegmentFlags, segmenterFile } from './segmenter_file';
import { Progress } from '../../terminal/progress';
import { printable } from '../../terminal/text_width';

export type { PredictArguments } from './predict_arguments';

async function gather(given: readonly string[], args: PredictArguments): Promise<(Input | StreamInput)[]> {
  const { inputs, notes } = fileInputs(
    given.filter((input) => input !== '-'),
    args.framesAsClip ?? false,
  );
  for (const note of notes) console.error(`note: ${note}`);
  if (args.frameSize && !given.includes('-')) throw new Error('--frame-size is for frames on standard input: give -');
  return given.includes('-') ? [...inputs, await standardInput(args.frameSize)] : inputs;
}

/** Number of inputs read ahead of the network. */
const AHEAD = 2;

/** Views of an input, and a warning if its file is damaged but readable. */
interface Read {
  clips: Clip[];
  warning: string | undefined;
}

/** Yields the views of each input, or the error of reading it, in order; reads `AHEAD` inputs ahead. */
async function* readAll(
  inputs: readonly Input[],
  spec: InputSpec,
  views: Views,
  pool: DecodePool,
): AsyncGenerator<({ input: Input } & Read) | { input: Input; error: Error }> {
  const options = testClips(spec);
  const choices = allViews(views);
  const size = { frames: spec.frames, height: spec.crop, width: spec.crop, label: -1 };
  const read = async (input: Input): Promise<Read> => {
    const { clips, seen, info } = await pool.read({ source: input.source, options, choices });
    const { warning } = info;
    return { clips: clips.map((pixels, i) => ({ ...size, pixels, path: input.name, seen: seen[i]! })), warning };
  };
  const reading = new Map<number, Promise<Read | Error>>();
  for (let i = 0; i < inputs.length; i++) {
    for (let next = i; next <= i + AHEAD && next < inputs.length; next++)
      if (!reading.has(next))
        reading.set(
          next,
          read(inputs[next]!).catch((error: Error) => error),
        );
    const got = await reading.get(i)!;
    reading.delete(i);
    yield got instanceof Error ? { input: inputs[i]!, error: got } : { input: inputs[i]!, ...got };
  }
}

/** Prints an input's error, with the name that the user gave in place of the path. */
function showProblem({ name, source }: Input, { message }: Error): void {
  const text = message.replaceAll(source.path, name);
  console.error(`morphmlp: ${printable(text.includes(name) ? text : `${name}: ${text}`)}`);
}

const showWarning = ({ name }: Input, warning: string | undefined): void => {
  if (warning !== undefined) console.error(`note: ${name}: ${warning}`);
};

/** Probabilities [classes] of the mean logits of views. */
const scoresOf = (model: LoadedModel, views: readonly Clip[]): Float32Array =>
  probabilities(meanOfRows(viewLogits(model, views)));

/** A prediction in progress. */
interface Job {
  inputs: readonly Input[];
  model: LoadedModel;
  spec: InputSpec;
  args: PredictArguments;
  pool: DecodePool;
  output: PredictOutput;
}

/** Classifies whole inputs. Returns the number of those that could not be read. */
async function classifyAll({ inputs, model, spec, args, pool, output }: Job): Promise<number> {
  const views: Views = { clips: args.clips, crops: Number(args.crops) as 1 | 3 };
  const progress = args.json ? null : new Progress({ label: 'predicting', total: inputs.length });
  let failed = 0;
  for await (const got of readAll(inputs, spec, views, pool)) {
    if ('error' in got) {
      failed += 1;
      showProblem(got.input, got.error);
    } else {
      output.add({ name: got.input.name, views: got.clips, probabilities: scoresOf(model, got.clips) });
      showWarning(got.input, got.warning);
    }
    progress?.update(output.count + failed);
  }
  progress?.finish();
  return failed;
}

/** Classifies the windows of an input. */
async function classifyWindows(input: Input, sliding: Sliding, job: Job): Promise<TimelineData | null> {
  const { model, spec, args, pool, output } = job;
  let timeline: TimelineData | null = null;
  for await (const window of slidingClips(input.source, spec, Number(args.crops) as 1 | 3, sliding, pool)) {
    const { index, count, start, end, duration, clips, warning } = window;
    const scores = scoresOf(model, clips);
    output.add({ name: input.name, views: clips, probabilities: scores, window: { start, end } });
    timeline ??= new TimelineData({ name: input.name, classNames: model.classNames, windows: count, duration });
    timeline.add(index, { start, end }, scores);
    if (index === 0) showWarning(input, warning);
  }
  return timeline;
}

/** Classifies the windows of all inputs. Returns the number of inputs that could not be read. */
async function slideAll(job: Job, sliding: Sliding): Promise<number> {
  let failed = 0;
  for (const input of job.inputs) {
    try {
      const timeline = await classifyWindows(input, sliding, job);
      if (job.args.timeline !== undefined && timeline) writeTimeline(job.args.timeline, timeline, job.args.checkpoint);
    } catch (error) {
      failed += 1;
      showProblem(input, error as Error);
    }
  }
  return failed;
}

/** Checks that all files can be written before any work is done. */
function checkFiles({ sheet, csv, timeline, every, window }: PredictArguments): void {
  if (sheet !== undefined && !/\.png$/i.test(sheet))
    throw new Error(`--sheet ${sheet}: expected a name that ends in .png`);
  if (timeline !== undefined && !/\.(svg|html)$/i.test(timeline))
    throw new Error(`--timeline ${timeline}: expected a name that ends in .svg or .html`);
  for (const [name, given] of Object.entries({ timeline, window }))
    if (given !== undefined && every === undefined) throw new Error(`--${name} needs --every, such as --every 1s`);
  checkOutputs({ sheet, csv, timeline });
}

/** Runs `morphmlp predict`. */
export async function predict(given: string[], args: PredictArguments): Promise<void> {
  const segmenter = segmenterFile(args.checkpoint);
  if (segmenter !== null) return predictMask(given, segmenter, args);
  expectNoSegmentFlags(args.checkpoint, args);
  setDefaultDevice(args.device);
  checkFiles(args);
  const { every, window, top, json = false, csv, sheet } = args;
  const inputs = await gather(given, args);
  const pool = new DecodePool(1);
  try {
    if (args.timeline !== undefined && inputs.length !== 1)
      throw new Error(`--timeline draws one video, got ${inputs.length} inputs`);
    const checkpoint = checkpointFile(args.checkpoint);
    if (checkpoint !== args.checkpoint) console.error(`note: the weights are those of ${checkpoint}`);
    const model = load(checkpoint);
    try {
      model.network.precision = args.precision;
      model.network.eval();
      showNotes(checkpoint, model);
      const spec = args.ignoreSar ? { ...model.input, ignoreSar: true } : model.input;
      const output = new PredictOutput(model.classNames, { top, json, csv, sheet, windows: every !== undefined });
      const job: Job = { inputs, model, spec, args: { ...args, checkpoint }, pool, output };
      const sliding = every && { every, ...(window ? { length: window } : {}) };
      if (sliding) checkSliding(sliding, spec);
      const failed = await (sliding ? slideAll(job, sliding) : classifyAll(job));
      await output.finish();
      if (failed > 0) process.exitCode = 1;
    } finally {
      model.network.dispose();
    }
  } finally {
    await pool.close();
    for (const input of inputs) if ('dispose' in input) input.dispose();
  }
}
