/** `morphmlp train FOLDER`: looks at the files, chooses what was not given, and says why. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { itemSource } from '../../data/check/inspect';
import { isIdx } from '../../data/lists/idx_list';
import type { Listing } from '../../data/lists/types';
import { openList } from '../../data/open';
import { isPicture } from '../../data/source';
import { testClips } from '../../data/video/clip_plan';
import { duration } from '../../terminal/format';
import { withProgress } from '../../terminal/progress';
import { printable } from '../../terminal/text_width';
import type { Setting } from '../../train/config/config';
import type { Config, KeyName } from '../../train/config/keys';
import { runOptions } from '../../train/config/recipe';
import { withPlan, type Resolved } from './train_settings';
import type { RunOptions } from '../../train/options';
import { choose, planTime, type Choice } from '../../train/plan/choose';
import { surveyList } from '../../train/plan/facts';
import { secondsPerClip } from '../../train/plan/measure';
import { runInput } from '../../train/run';

const SPLITS = { train: /^(train|training)$/i, val: /^(val|valid|validation|test|testing|eval)$/i };

/** The training and validation folders within a folder, if it has them. */
export function splitFolders(folder: string): { data: string; val?: string } {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return { data: folder };
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []));
  const [train, val] = [SPLITS.train, SPLITS.val].map((known) => names.find((name) => known.test(name)));
  if (train === undefined) return { data: folder };
  const data = path.join(folder, train);
  return val === undefined ? { data } : { data, val: path.join(folder, val) };
}

/** Whether a plan is made: for a person's own files, where no recipe is named. */
export const isPlanned = ({ config, open }: Resolved): boolean =>
  open &&
  config['RUN.TASK'] === 'classify' &&
  config['RUN.TRAIN_DATA'] !== '' &&
  runOptions(config).train.kind === 'list';

const settingsOf = (choices: readonly Choice[]): Setting[] =>
  choices.flatMap(({ settings, name }) =>
    Object.entries(settings).map(([key, value]) => ({ key, value, where: `the plan's ${name}` })),
  );

function show(choices: readonly Choice[], source: string, say: (line: string) => void): void {
  const width = Math.max(...choices.map(({ name }) => name.length));
  say(`a plan for ${printable(source)}; each flag in brackets changes one choice`);
  for (const { name, text, why } of choices)
    say(`  ${name.padEnd(width)}  ${pc.bold(text)}  ${pc.dim(printable(why))}`);
}

/** Share of the files for validation, where none were given. */
const SHARE = 0.2;

/** Validation for files that came without: the test files of an IDX folder, else a share of the files, if every class has two. */
function chooseValidation(data: string, { items, classNames, blocks }: Listing): Choice {
  const name = 'validation';
  if (isIdx(data))
    return { name, text: 't10k', why: 'the test files of the folder (--val)', settings: { 'RUN.VAL_DATA': data } };
  const counts = classNames.map(() => 0);
  for (const { label } of items) counts[label]!++;
  const alone = classNames.find((_, label) => counts[label] === 1);
  if (alone !== undefined) return { name, text: 'none', why: `class ${alone} has only one file (--val)`, settings: {} };
  if (blocks) return { name, text: 'none', why: 'prepared clips cannot be split (--val)', settings: {} };
  const settings = { 'RUN.VAL_DATA': String(SHARE) };
  return { name, text: 'a fifth of each class', why: 'no validation files were named (--val)', settings };
}

/** The training list, of pictures if it has nothing else and no model was named. */
function listingOf(options: RunOptions, modelGiven: boolean): Listing {
  const clips = { ...testClips(runInput(options)), train: true };
  const opening = { seed: options.seed, classes: options.classes ?? undefined };
  if (modelGiven) return openList(options.train, { ...opening, clips });
  const any = openList(options.train, { ...opening, clips: { ...clips, frames: 1 } });
  const pictures = any.items.every((item) => isPicture(itemSource(item)));
  return pictures ? any : openList(options.train, { ...opening, clips });
}

/**
 * The configuration with a plan for what `given` leaves open. Opens a sample of the files and measures a few steps.
 * @throws if the list is invalid or nothing of the sample can be read
 */
export async function planned(resolved: Resolved, budget: number, say: (line: string) => void): Promise<Config> {
  const { config, given } = resolved;
  const keys = new Set(given.map(({ key }) => key));
  const options = runOptions(config);
  const listing = listingOf(options, keys.has('MORPH.LAYERS'));
  const split = keys.has('RUN.VAL_DATA') ? [] : [chooseValidation(options.train.path, listing)];
  const left = split.some(({ settings }) => settings['RUN.VAL_DATA'] === String(SHARE)) ? 1 - SHARE : 1;
  const facts = await withProgress({ label: 'looking at files', total: 0 }, (bar) =>
    surveyList(listing, left, (done, total) => bar.update(0, [`${done} of ${total}`])),
  );
  const has = (key: KeyName): boolean => keys.has(key);
  const chosen = choose(facts, { has, frames: config['DATA.NUM_FRAMES'], targetFps: config['DATA.TARGET_FPS'] });
  const sized = withPlan(resolved, settingsOf([...split, ...chosen]));
  const perClip = secondsPerClip(runOptions(sized), facts.classes);
  const timed = planTime(facts, { has, perClip, budget, epochs: sized['SOLVER.MAX_EPOCH'] });
  show([...split, ...chosen, ...timed.choices], listing.source, say);
  say(`  about ${duration(timed.seconds)} of training, by steps measured on this machine (--time)`);
  return withPlan(resolved, settingsOf([...split, ...chosen, ...timed.choices]));
}
