/**
 * The process in which plugins run: a job on standard input, lines on file descriptor 3, written before what they tell of is begun, so
 * that the last one says where it ended if it did not end well. `hosted.ts` is the other side.
 */
import { readFileSync, writeSync } from 'node:fs';
import type { Device } from '../../core/native';
import { openPlugin, PLUGGABLE, requirePluginDevice, watchPlugins, type Plugin } from '../../core/plugins';
import { setThreads } from '../../core/runtime';
import { getDefaultDevice, setDefaultDevice } from '../../core/tensor';
import type { Agreement, Answer, Doing, Jobs, KernelJob, KernelResult, Line, ModelJob, Question } from './protocol';
import { benchCase, termsOfTimed, verifyVariant } from './measure';
import { holdModel } from '../models/check';
import { chooseCases, stemOf } from './ops';
import { blasVariants, naiveVariant, OURS, pluginVariant, type Variant } from './variant';

const say = (line: Line<unknown>): void => void writeSync(3, `${JSON.stringify(line)}\n`);

/** What runs now. */
let now: Doing = { plugin: null, doing: 'starting' };

function doing(plugin: string | null, text: string): void {
  if (plugin === now.plugin && text === now.doing) return;
  now = { plugin, doing: text };
  say(now);
}

function open(file: string): Plugin {
  doing(file, 'being loaded');
  return openPlugin(file);
}

function answer({ describe }: Question): Answer {
  const { op, device, backward, flags } = open(describe);
  return { op, device, backward, flags };
}

/** For a job: on the device that it runs on. */
function openHere(file: string): Plugin {
  const plugin = open(file);
  requirePluginDevice(plugin, getDefaultDevice());
  return plugin;
}

const HOLDING = 'holding it to float64';

/** Says which direction runs, and when it is over: while verifying, where the time that it takes does not count. */
function tellDirections(): void {
  const ending = new RegExp(`, (forward|backward|${HOLDING})$`);
  watchPlugins((_, direction) => doing(now.plugin, `${now.doing.replace(ending, '')}, ${direction ?? HOLDING}`));
}

function measure({ op, stage, plugins, seed, time }: KernelJob): KernelResult {
  const opened = plugins.map((file) => ({ file, variant: pluginVariant(openHere(file)) }));
  const files = new Map(opened.map(({ file, variant }) => [variant.name, file]));
  const onStep = ({ foreign, name }: Variant, text: string) =>
    foreign ? doing(files.get(name)!, text) : doing(null, `${name} ${text}`);
  const c = chooseCases([op], [stage]).find((one) => one.op === op)!;
  if (time) {
    const variants = [OURS, ...opened.map(({ variant }) => variant)];
    const replaceable = PLUGGABLE.find((name) => name === stemOf(c));
    if (replaceable) variants.push(...blasVariants(replaceable), naiveVariant(replaceable));
    return { rows: benchCase(c, variants, { ...time, seed, onStep }), checked: [] };
  }
  tellDirections();
  const checked = opened.map(({ file, variant }) => {
    const { forward, gradient } = verifyVariant(c, termsOfTimed(c), variant, { seed, onStep });
    return { plugin: file, forward, gradient: variant.backward ? gradient : null };
  });
  return { rows: [], checked };
}

function compareModels({ model, crop, plugins, seed }: ModelJob): Agreement {
  const opened = plugins.map(openHere);
  watchPlugins((plugin, direction) =>
    direction
      ? doing(plugin.file, `computing the ${direction} of ${plugin.op} in the model`)
      : doing(null, 'computing the model'),
  );
  return holdModel(model, crop, opened, seed);
}

const WORK: { [K in keyof Jobs]: (job: Jobs[K]['job']) => Jobs[K]['result'] } = {
  question: answer,
  kernel: measure,
  model: compareModels,
};

function work({ kind, job }: { kind: keyof Jobs; job: never }): unknown {
  const { threads, device } = job as { threads?: number; device?: Device };
  if (threads) setThreads(threads);
  if (device) setDefaultDevice(device);
  return WORK[kind](job);
}

try {
  say({ result: work(JSON.parse(readFileSync(0, 'utf8')) as { kind: keyof Jobs; job: never }) });
} catch (error) {
  say({ problem: (error as Error).message, plugin: now.plugin });
}
// A plugin may have left threads of its own.
process.exit(0);
