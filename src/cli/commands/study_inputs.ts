/** The model and clips of `morphmlp study`. */
import { existsSync } from 'node:fs';
import { DecodePool } from '../../data/video/decode_pool';
import type { InputSpec } from '../../data/input_spec';
import { testClips } from '../../data/video/clip_plan';
import { openDataset, specOf } from '../../data/open';
import type { Clip } from '../../data/types';
import { readViews } from '../../data/video/video_clips';
import { Philox } from '../../core/philox';
import { randomSubject, STUDY_MODELS, trainedSubject, type Subject } from '../../study/subject';
import { didYouMean } from '../../terminal/format';
import { fileInputs } from './predict_inputs';

/** Arguments that select a model and its clips. */
export interface Asked {
  checkpoint?: string;
  data?: string;
  count: number;
}

const MODELS = Object.keys(STUDY_MODELS);

/** Splits the positional arguments into the model's name and files. */
function sortInputs(inputs: readonly string[]): { names: string[]; files: string[] } {
  const isModel = (word: string) => MODELS.includes(word) && !existsSync(word);
  const [names, files] = [inputs.filter(isModel), inputs.filter((word) => !isModel(word))];
  const missing = files.find((file) => !existsSync(file));
  if (missing !== undefined)
    throw new Error(`${missing}: no such file, and no model of this name${didYouMean(missing, MODELS)}`);
  if (names.length > 1) throw new Error(`expected one model, got ${names.join(' and ')}`);
  return { names, files };
}

/** `count` clips of a dataset of labels. */
async function labelledClips(
  path: string,
  subject: Subject,
  count: number,
): Promise<{ clips: Clip[]; names: readonly string[] }> {
  const pool = new DecodePool(1);
  try {
    const clips = testClips(subject.input);
    const known = subject.checkpoint ? { known: subject.classNames, knownFrom: subject.checkpoint } : {};
    const dataset = openDataset(specOf(path), { clips, ...known }, pool);
    const wanted = Math.min(count, dataset.length);
    // A fixed random sample, because lists are sorted by class or alternate classes.
    const indices = new Philox(0, 0)
      .shuffle(Int32Array.from({ length: dataset.length }, (_, i) => i))
      .subarray(0, wanted);
    const all: Clip[] = [];
    for (const i of indices) all.push(await dataset.clip(i, new Philox(0, 0)));
    return { clips: all, names: dataset.classNames };
  } finally {
    await pool.close();
  }
}

async function fileClips(files: readonly string[], input: InputSpec): Promise<Clip[]> {
  const clips: Clip[] = [];
  const { inputs, notes } = fileInputs(files, false);
  for (const note of notes) console.error(`note: ${note}`);
  for (const { source, name } of inputs) {
    const [clip] = await readViews(source, input);
    clips.push({ ...clip!, path: name });
  }
  return clips;
}

/** Loads the model and clips of the command line. @throws if it names no model */
export async function openSubject(inputs: readonly string[], { checkpoint, data, count }: Asked): Promise<Subject> {
  const { names, files } = sortInputs(inputs);
  if (!checkpoint && names.length === 0)
    throw new Error(`expected a model (${MODELS.join(', ')}) or --checkpoint FILE`);
  const subject = checkpoint ? trainedSubject(checkpoint, names[0]) : randomSubject(names[0]!);
  const labelled = data ? await labelledClips(data, subject, count) : { clips: [], names: subject.classNames };
  const clips = [...(await fileClips(files, subject.input)), ...labelled.clips];
  return { ...subject, clips, classNames: subject.checkpoint ? subject.classNames : labelled.names };
}
