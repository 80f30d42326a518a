import pc from 'picocolors';
import { checkData, type Counts, type DataCheck, type ListCheck, type Range } from '../../data/check/check';
import type { Listing } from '../../data/lists/types';
import { sharedFiles } from '../../data/lists/listing';
import { openList, type DataSpec } from '../../data/open';
import { clipSpan } from '../../data/sampling';
import type { VideoOptions } from '../../data/video/clip_plan';
import { amount, bytes, count, duration, significant, table } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { printable } from '../../terminal/text_width';
import { isKey } from '../../train/config/config';
import { runOptions } from '../../train/config/recipe';
import type { RunOptions } from '../../train/options';
import { checkMasks } from './data_check_pairs';
import { expectSame } from '../../distributed/connect';
import type { Ranks } from '../../distributed/ranks';
import { FILE_TIMEOUT, joinRanks, workersHere } from './join_ranks';
import { resolveConfig, type TrainFlags } from './train_settings';

/** Arguments of `morphmlp data check`. */
export type CheckArguments = Pick<
  TrainFlags,
  'cfg' | 'preset' | 'val' | 'separator' | 'model' | 'frames' | 'rate' | 'workers' | 'task' | 'reduceZeroLabel'
> & {
  root?: string;
  template?: string;
  classesFile?: string;
  clips: number;
  crops: '1' | '3';
  json?: boolean;
};

/** Dataset of a list on the command line, with its flags. */
function specWith(spec: DataSpec, { root, template, classesFile }: CheckArguments): DataSpec {
  return {
    ...spec,
    ...(template ? { kind: 'frames' as const, template } : {}),
    ...(root ? { root } : {}),
    ...(classesFile ? { classesFile } : {}),
  };
}

/** The options of a run on the data of the command line. */
function optionsOf(given: readonly string[], args: CheckArguments): RunOptions {
  const [list, pairs] = given[0] === undefined || isKey(given[0]) ? [undefined, given] : [given[0], given.slice(1)];
  const { cfg, preset, val, separator, model, frames, rate, workers, task, reduceZeroLabel } = args;
  const all = { cfg, preset, data: list, val, separator, model, frames, rate, workers, task, reduceZeroLabel };
  const flags = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as TrainFlags;
  return runOptions(resolveConfig(flags, [...pairs]).config);
}

/** The lists, training first, and the sampling of clips. */
function openLists(
  options: RunOptions,
  args: CheckArguments,
): { listings: Listing[]; clips: VideoOptions; workers: number } {
  const opening = { clips: { ...options.clips, train: false }, classes: options.classes ?? undefined };
  const train = openList(specWith(options.train, args), { ...opening, split: 'train' });
  const known = { known: train.classNames, knownFrom: train.source };
  const second = options.val && [openList(specWith(options.val, args), { ...opening, ...known })];
  return { listings: [train, ...(second ?? [])], clips: opening.clips, workers: options.workers };
}

/** Names of the classes of masks by `--classes-file`. */
const withClasses = (options: RunOptions, { classesFile }: CheckArguments): RunOptions =>
  classesFile === undefined ? options : { ...options, train: { ...options.train, classesFile } };

const SHOWN = 20;

/** What lists are called where those of ranks differ. */
const LISTS = ['list', 'validation list'];

function classTable({ classes }: ListCheck): string {
  const most = [...classes].sort((a, b) => b.files - a.files);
  const half = SHOWN / 2;
  const shown = classes.length <= SHOWN ? classes : [...most.slice(0, half), ...most.slice(-half)];
  const rows = shown.map(({ name, files }) => [printable(name), files]);
  const text = table(rows, { head: ['class', 'files'], align: ['left', 'right'] });
  return classes.length <= SHOWN
    ? text
    : `${text}\nthe ${half} largest and the ${half} smallest of ${classes.length} classes`;
}

function countsText(counts: Counts, unit = ''): string {
  const shown = counts.slice(0, 4).map(({ value, files }) => `${value}${unit} (${count(files)})`);
  return [...shown, ...(counts.length > 4 ? [`${counts.length - 4} more`] : [])].join(', ');
}

function rangeText(range: Range | null, text: (value: number) => string): string {
  if (range === null) return 'unknown';
  const { least, median, most } = range;
  return least === most ? text(least) : `${text(least)} to ${text(most)}, median ${text(median)}`;
}

/** Text about one list. */
function listText(list: ListCheck): string {
  const { source, files, sizes, rates, durations, frames, bytes: size } = list;
  const facts = [
    ['sizes', countsText(sizes)],
    ['rates', countsText(rates, ' fps')],
    ['lengths', rangeText(durations, duration)],
    ['frames', rangeText(frames, (value) => significant(value, 6))],
    ['on disk', bytes(size)],
  ];
  const lines = facts.map(([name, text]) => `${name!.padEnd(8)} ${text}`);
  return [
    pc.bold(
      printable(`${source}: ${amount(files.length, 'file')} in ${amount(list.classes.length, 'class', 'classes')}`),
    ),
    classTable(list),
    ...lines,
  ].join('\n');
}

const some = (files: readonly string[], what: string): string[] =>
  files.length === 0 ? [] : [`${files.length} ${what}, the first is ${files[0]}`];

/** Problems to fix before a run, one per line. */
function warningsOf({ lists, shared }: DataCheck): string[] {
  const each = lists.flatMap(({ source, missing, repeated, unreadable, cut, equal }) =>
    [
      ...some(missing, 'listed files do not exist'),
      ...some(unreadable, 'files cannot be read'),
      ...some(cut, 'files are cut short or damaged, and read in part'),
      ...(repeated > 0 ? [`${repeated} lines repeat a file`] : []),
      ...(equal.length > 0
        ? [
            `${amount(equal.length, 'group')} of files have the same content, such as ${equal[0]!.slice(0, 2).join(' and ')}`,
          ]
        : []),
    ].map((line) => `${source}: ${line}`),
  );
  const both =
    shared[0] &&
    `${shared.length} files of validation have the content of a training file, such as ${shared[0][1]} (${shared[0][0]})`;
  return both ? [...each, both] : each;
}

function notesOf({ lists }: DataCheck): string[] {
  return lists.flatMap(({ source, notes, short }) =>
    [...notes, ...(short > 0 ? [`${short} files are shorter than a clip and repeat their last frame`] : [])].map(
      (line) => `${source}: ${line}`,
    ),
  );
}

/** The check as JSON, with the frames (number, timestamp in seconds) of each test view of each file. */
function jsonOf(found: DataCheck, warnings: string[]): string {
  const lists = found.lists.map((list) => ({
    ...list,
    files: list.files.map(({ facts, ...file }) => {
      if ('unreadable' in facts) return { ...file, facts, views: [] };
      const { views, ...others } = facts;
      return { ...file, facts: others, views };
    }),
  }));
  return JSON.stringify({ ...found, lists, warnings, notes: notesOf(found) });
}

/** Runs `morphmlp data check`: exit status 0 without findings, 1 for errors, 2 for warnings. */
export async function check(given: string[], args: CheckArguments): Promise<void> {
  const ranks = joinRanks({ timeout: FILE_TIMEOUT });
  const options = ranks.agree(() => optionsOf(given, args));
  if (options.architecture.task !== 'segment') await checkLists(options, args, ranks);
  else if (ranks.isMain) await checkMasks(withClasses(options, args), args.json ?? false);
}

async function checkLists(options: RunOptions, args: CheckArguments, ranks: Ranks): Promise<void> {
  const { listings, clips, workers } = ranks.agree(() => openLists(options, args));
  expectSame(ranks, Object.fromEntries(listings.map(({ digest }, i) => [LISTS[i]!, digest])));
  const bar = new Progress({ label: 'checking', total: listings.reduce((sum, { items }) => sum + items.length, 0) });
  const span = ({ fps }: { fps: number }): number =>
    clips.sampling === 'segment' || clips.frames === 1 ? clips.frames : Math.floor(clipSpan(clips, fps));
  const onFile = (done: number): void => bar.update(done);
  const see = args.json ? { see: { clips, views: { clips: args.clips, crops: Number(args.crops) as 1 | 3 } } } : {};
  const found = await checkData(listings, {
    span,
    workers: workersHere(ranks, workers),
    onFile,
    sharing: ranks,
    ...see,
  }).finally(() => bar.finish());
  if (!ranks.isMain) return;
  const warnings = [
    ...warningsOf(found),
    ...(found.shared.length === 0 && listings[1] ? sharedFiles(listings[0]!, listings[1]) : []),
  ];
  if (args.json) console.log(jsonOf(found, warnings));
  else {
    console.log(found.lists.map(listText).join('\n\n'));
    for (const note of notesOf(found)) console.error(`note: ${printable(note)}`);
    for (const warning of warnings) console.error(pc.yellow(`warning: ${printable(warning)}`));
    for (const error of found.errors.slice(0, SHOWN)) console.error(pc.red(`error: ${printable(error)}`));
    if (found.errors.length > SHOWN) console.error(`… and ${found.errors.length - SHOWN} more errors`);
    if (warnings.length + found.errors.length === 0) console.log('nothing to mend');
  }
  process.exitCode = found.errors.length > 0 ? 1 : warnings.length > 0 ? 2 : 0;
}
