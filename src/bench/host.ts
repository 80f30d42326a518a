/**
 * The process in which plugins run: a job on standard input, lines on file descriptor 3, written before what they tell of is begun, so
 * that the last one says where it ended if it did not end well. `hosted.ts` is the other side.
 */
import { readFileSync, writeSync } from 'node:fs';
import { openPlugin, PLUGGABLE, watchPlugins, type Plugin } from '../plugins';
import { setThreads } from '../runtime';
import type { Answer, Doing, Job, Line, Question } from './job';
import { benchCase, termsOfTimed, verifyVariant, type KernelRow } from './kernels';
import { chooseCases, stemOf } from './ops';
import { naiveVariant, OURS, pluginVariant, type Variant } from './variant';

const say = (line: Line): void => void writeSync(3, `${JSON.stringify(line)}\n`);

/** What runs now. */
let now: Doing = { plugin: null, doing: 'starting' };

function doing(plugin: string | null, text: string): void {
  if (plugin === now.plugin && text === now.doing) return;
  now = { plugin, doing: text };
  say(now);
}

function variantOf(file: string): { variant: Variant; plugin: Plugin } {
  doing(file, 'being loaded');
  const plugin = openPlugin(file);
  return { variant: pluginVariant(plugin), plugin };
}

function answer({ describe }: Question): Answer {
  const { op, backward, flags } = variantOf(describe).plugin;
  return { op, backward, flags };
}

function run({ op, stage, plugins, time, threads }: Job): KernelRow[] {
  setThreads(threads);
  const opened = plugins.map(variantOf);
  const files = new Map(opened.map(({ variant }, i) => [variant, plugins[i]!]));
  const onStep = (variant: Variant, text: string) => doing(files.get(variant) ?? null, text);
  const c = chooseCases([op], [stage]).find((one) => one.op === op)!;
  if (time) {
    const variants = [OURS, ...opened.map(({ variant }) => variant)];
    const replaceable = PLUGGABLE.find((name) => name === stemOf(c));
    if (replaceable) variants.push(naiveVariant(replaceable));
    return benchCase(c, variants, { ...time, onStep });
  }
  watchPlugins((_, direction) => doing(now.plugin, `${now.doing.replace(/, (for|back)ward$/, '')}, ${direction}`));
  for (const { variant } of opened) verifyVariant(c, termsOfTimed(c), variant, onStep);
  return [];
}

try {
  const asked = JSON.parse(readFileSync(0, 'utf8')) as Job | Question;
  say('describe' in asked ? { answer: answer(asked) } : { rows: run(asked) });
} catch (error) {
  say({ problem: (error as Error).message, plugin: now.plugin });
}
// A plugin may have left threads of its own.
process.exit(0);
