import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { DecodePool } from '../../data/video/decode_pool';
import { viewCount, type Views } from '../../data/sampling';
import type { InputSpec } from '../../data/input_spec';
import { testClips } from '../../data/video/clip_plan';
import type { Clip } from '../../data/types';
import { allViews } from '../../data/video/clip_plan';
import { load, type LoadedModel } from '../../models/load';
import type { Device, Precision } from '../../core/native';
import { contactSheet, type SheetRow } from '../../report/contact_sheet';
import { setDefaultDevice } from '../../core/tensor';
import { meanOfRows, probabilities, viewLogits } from '../../train/views';
import { percent, table } from '../../terminal/format';
import { showNotes } from './notes';
import { checkOutputs } from './outputs';
import { fileInputs, standardInput, type Input, type StreamInput } from './predict_inputs';
import { Progress } from '../../terminal/progress';
import { displayWidth, padWidth, printable } from '../../terminal/text_width';

/** A class and its probability. */
export interface Guess {
  label: string;
  probability: number;
}

/** The `top` most probable classes of a video from its `views`, best first. */
export function classify(model: LoadedModel, views: readonly Clip[], top: number): Guess[] {
  model.network.eval();
  const scores = probabilities(meanOfRows(viewLogits(model, views)));
  const guesses = model.classNames.map((label, i) => ({ label, probability: scores[i]! }));
  return guesses.sort((a, b) => b.probability - a.probability).slice(0, top);
}

const bar = (share: number): string => pc.cyan('█'.repeat(Math.round(share * 30)));

/** Text with one line per guess. */
export function guessLines(guesses: readonly Guess[]): string[] {
  const width = Math.max(...guesses.map((g) => displayWidth(printable(g.label))));
  return guesses.map(
    (g) => `  ${padWidth(printable(g.label), width)}  ${percent(g.probability).padStart(6)}  ${bar(g.probability)}`,
  );
}

/** Arguments of `morphmlp predict`. */
export interface PredictArguments {
  checkpoint: string;
  top: number;
  json?: boolean;
  sheet?: string;
  framesAsClip?: boolean;
  frameSize?: [number, number];
  clips: number;
  crops: '1' | '3';
  ignoreSar?: boolean;
  device: Device;
  precision: Precision;
}

/** Predictions for one input. */
interface Seen {
  name: string;
  guesses: Guess[];
}

/** Most clips on a contact sheet: viewers cannot open taller pictures. */
const SHEET_ROWS = 64;

async function gather(given: readonly string[], args: PredictArguments): Promise<(Input | StreamInput)[]> {
  const files = fileInputs(
    given.filter((input) => input !== '-'),
    args.framesAsClip ?? false,
  );
  if (args.frameSize && !given.includes('-')) throw new Error('--frame-size is for frames on standard input: give -');
  return given.includes('-') ? [...files, await standardInput(args.frameSize)] : files;
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

/** Message of an input's error, with the name that the user gave in place of the path. */
function problemOf({ input: { name, source }, error: { message } }: { input: Input; error: Error }): string {
  const text = message.replaceAll(source.path, name);
  return text.includes(name) ? text : `${name}: ${text}`;
}

function inputTable(seen: readonly Seen[]): string {
  const rows = seen.flatMap(({ name, guesses }) =>
    guesses.map((g, i) => [i === 0 ? printable(name) : '', printable(g.label), percent(g.probability)]),
  );
  return table(rows, { head: ['input', 'class', 'probability'], align: ['left', 'left', 'right'] });
}

function captionOf({ name, guesses }: Seen): string {
  const words = guesses.slice(0, 3).map((g) => `${g.label} ${percent(g.probability)}`);
  return `${path.basename(name)}: ${words.join(' · ')}`;
}

async function writeSheet(file: string, rows: readonly SheetRow[], inputs: number): Promise<void> {
  if (rows.length === 0) return;
  writeFileSync(file, await contactSheet(rows));
  if (inputs > rows.length) console.error(`note: ${file} shows the first ${rows.length} of ${inputs}`);
}

/** Checks that the sheet can be written before any work is done. */
function checkSheet(file: string): void {
  if (!/\.png$/i.test(file)) throw new Error(`--sheet ${file}: expected a name that ends in .png`);
  checkOutputs({ sheet: file });
}

function show(seen: readonly Seen[]): void {
  if (seen.length === 1) console.log([pc.bold(printable(seen[0]!.name)), ...guessLines(seen[0]!.guesses)].join('\n'));
  else if (seen.length > 1) console.log(inputTable(seen));
}

async function classifyAll(
  inputs: readonly Input[],
  model: LoadedModel,
  args: PredictArguments,
  pool: DecodePool,
): Promise<{ seen: Seen[]; rows: SheetRow[]; failed: number }> {
  const views: Views = { clips: args.clips, crops: Number(args.crops) as 1 | 3 };
  const progress = args.json ? null : new Progress({ label: 'predicting', total: inputs.length });
  const seen: Seen[] = [];
  const rows: SheetRow[] = [];
  let failed = 0;
  const spec = args.ignoreSar ? { ...model.input, ignoreSar: true } : model.input;
  for await (const got of readAll(inputs, spec, views, pool)) {
    const { name } = got.input;
    if ('error' in got) {
      failed += 1;
      console.error(`morphmlp: ${printable(problemOf(got))}`);
    } else {
      const guesses = classify(model, got.clips, args.top);
      seen.push({ name, guesses });
      if (got.warning !== undefined) console.error(`note: ${name}: ${got.warning}`);
      const frames = got.clips.map((clip) => clip.seen);
      if (args.json) console.log(JSON.stringify({ input: name, views: viewCount(views), guesses, frames }));
      if (args.sheet && rows.length < SHEET_ROWS)
        rows.push({ clip: got.clips[0]!, caption: captionOf({ name, guesses }) });
    }
    progress?.update(seen.length + failed);
  }
  progress?.finish();
  return { seen, rows, failed };
}

/** Runs `morphmlp predict`. */
export async function predict(given: string[], args: PredictArguments): Promise<void> {
  setDefaultDevice(args.device);
  if (args.sheet) checkSheet(args.sheet);
  const inputs = await gather(given, args);
  const pool = new DecodePool(1);
  const model = load(args.checkpoint);
  model.network.precision = args.precision;
  showNotes(args.checkpoint, model);
  try {
    const { seen, rows, failed } = await classifyAll(inputs, model, args, pool);
    if (!args.json) show(seen);
    if (args.sheet) await writeSheet(args.sheet, rows, seen.length);
    if (failed > 0) process.exitCode = 1;
  } finally {
    model.network.dispose();
    await pool.close();
    for (const input of inputs) if ('dispose' in input) input.dispose();
  }
}
