import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { noGrad } from '../autograd';
import { toBatch, type Clip } from '../data/types';
import { readViews } from '../data/video_clips';
import type { MorphMLP } from '../models/morphmlp';
import { softmax } from '../ops/softmax';
import { scope } from '../scope';
import { tensor } from '../tensor';
import { load, type InputSpec } from '../models/load';

/** A class and its probability. */
export interface Guess {
  label: string;
  probability: number;
}

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|flv|wmv|3gp|ogv)$/i;

/** The middle clip of a video, scaled and cropped as in evaluation. */
export async function middleClip(file: string, input: InputSpec): Promise<Clip> {
  const [clip] = await readViews(file, input);
  return clip as Clip;
}

/** The `top` most probable classes of a clip, best first. */
export function classify(model: MorphMLP, classNames: readonly string[], clip: Clip, top: number): Guess[] {
  const batch = toBatch([clip]);
  const scores = scope(() => noGrad(() => softmax(model.eval().forward(tensor(batch.x, batch.shape))).floats()));
  const guesses = classNames.map((label, i) => ({ label, probability: scores[i] as number }));
  return guesses.sort((a, b) => b.probability - a.probability).slice(0, top);
}

/** One line for each guess, as the terminal shows them. */
export function guessLines(guesses: readonly Guess[]): string[] {
  const width = Math.max(...guesses.map((g) => g.label.length));
  return guesses.map(
    (g) =>
      `  ${g.label.padEnd(width)}  ${(g.probability * 100).toFixed(1).padStart(5)}%  ${pc.cyan('█'.repeat(Math.round(g.probability * 30)))}`,
  );
}

function filesOf(inputs: readonly string[]): string[] {
  return inputs.flatMap((input) => {
    const stat = statSync(input, { throwIfNoEntry: false });
    if (!stat) throw new Error(`${input}: no such file or folder`);
    if (!stat.isDirectory()) return [input];
    const inside = readdirSync(input)
      .filter((name) => VIDEO.test(name))
      .map((name) => path.join(input, name));
    if (inside.length === 0) throw new Error(`${input}: no videos in this folder`);
    return inside;
  });
}

/** What the command line gives. */
export interface PredictArguments {
  checkpoint: string;
  top: number;
  json?: boolean;
}

/** Runs `morphmlp predict`. */
export async function predict(inputs: string[], { checkpoint, top, json }: PredictArguments): Promise<void> {
  const files = filesOf(inputs);
  const { network, classNames, input } = load(checkpoint);
  let failed = 0;
  for (const file of files) {
    try {
      const guesses = classify(network, classNames, await middleClip(file, input), top);
      console.log(json ? JSON.stringify({ file, guesses }) : [pc.bold(file), ...guessLines(guesses)].join('\n'));
    } catch (error) {
      failed += 1;
      console.error(`morphmlp: ${(error as Error).message}`);
    }
  }
  network.dispose();
  if (failed > 0) process.exitCode = 1;
}
