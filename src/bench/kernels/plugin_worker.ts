/**
 * The child process in which plugins run. It reads a job from standard input and writes messages to file descriptor 3, each before the
 * activity begins, so that the last message names the activity in which a crash occurred. `plugin_process.ts` is the parent's side.
 */
import { readFileSync, writeSync } from 'node:fs';
import type { Device } from '../../core/native';
import { openPlugin, PLUGGABLE, requirePluginDevice, watchPlugins, withValues, type Plugin } from '../../core/plugins';
import { setThreads } from '../../core/runtime';
import { getDefaultDevice, setDefaultDevice } from '../../core/tensor';
import type {
  Activity,
  DescribeJob,
  Failure,
  Jobs,
  KernelJob,
  KernelResult,
  Message,
  ModelErrors,
  ModelJob,
  PluginDescription,
  TrialJob,
} from './protocol';
import { benchCase, termsOfTimed, verifyVariant } from './measure';
import { verifyModel } from '../models/check';
import { caseOf, stemOf } from './ops';
import { OURS, peersOf, pluginVariant, type Variant } from './variant';
import { placeOf } from './stages';
import { valuesText } from './tune';

const send = (message: Message<unknown>): void => void writeSync(3, `${JSON.stringify(message)}\n`);

/** The current activity. */
let now: Activity = { plugin: null, doing: 'starting', limited: false };

/**
 * Reports an activity, of a plugin or (null) of our own code. A crash in our own code is attributed to the plugin that ran last: what it
 * damaged may show later. On a GPU, a plugin that hangs shows where our own code waits, so that the timeout always applies.
 */
function doing(plugin: string | null, text: string, ours = plugin === null): void {
  const limited = !ours || getDefaultDevice() === 'cuda';
  const suspect = plugin ?? now.plugin;
  if (suspect === now.plugin && text === now.doing && limited === now.limited) return;
  now = { plugin: suspect, doing: text, limited };
  send(now);
}

function open(file: string): Plugin {
  doing(file, 'being loaded');
  const plugin = openPlugin(file);
  doing(null, 'making the inputs');
  return plugin;
}

function describe({ file }: DescribeJob): PluginDescription {
  const { op, device, backward, flags, dtypes, parameters, values } = open(file);
  return { op, device, backward, flags, dtypes, parameters, values };
}

/** Opens a plugin for the default device. @throws if the plugin is for another device */
function openHere(file: string): Plugin {
  const plugin = open(file);
  requirePluginDevice(plugin, getDefaultDevice());
  return plugin;
}

const VERIFYING = 'verifying it against float64';

/** Reports the running direction during verification, where nothing is timed. */
function reportDirections(): void {
  const ending = new RegExp(`, (forward|backward|${VERIFYING})$`);
  watchPlugins((_, direction) =>
    doing(now.plugin, `${now.doing.replace(ending, '')}, ${direction ?? VERIFYING}`, direction === null),
  );
}

function measure({ plugins, seed, time, withoutPeers, ...choice }: KernelJob): KernelResult {
  const opened = plugins.map((file) => ({ file, variant: pluginVariant(openHere(file)) }));
  const files = new Map(opened.map(({ file, variant }) => [variant.name, file]));
  const onStep = ({ foreign, name }: Variant, text: string, ours?: boolean) =>
    foreign ? doing(files.get(name)!, text, ours) : doing(null, `${name} ${text}`);
  const failures: Failure[] = [];
  const onFailure = ({ foreign, name }: Variant, { message }: Error) =>
    void failures.push({ plugin: foreign ? files.get(name)! : name, at: placeOf(choice), problem: message });
  const c = caseOf(choice);
  if (time) {
    const variants = [OURS, ...opened.map(({ variant }) => variant)];
    const replaceable = withoutPeers ? undefined : PLUGGABLE.find((name) => name === stemOf(c));
    if (replaceable) variants.push(...peersOf(replaceable, choice.precision));
    return { rows: benchCase(c, variants, { ...time, seed, onStep, onFailure }), checked: [], failures };
  }
  reportDirections();
  const checked = opened.map(({ file, variant }) => {
    const { forward, gradient } = verifyVariant(c, termsOfTimed(c), variant, { seed, onStep });
    return { plugin: file, forward, gradient: variant.backward ? gradient : null };
  });
  return { rows: [], checked, failures };
}

function tryValues({ file, values, device, seed, rounds, ...choice }: TrialJob): number[][][] {
  const plugin = openHere(file);
  const c = caseOf(choice);
  const variants = values.map((each) => ({ ...pluginVariant(withValues(plugin, each)), name: valuesText(each) }));
  const onStep = (_: Variant, text: string, ours?: boolean) => doing(file, text, ours);
  reportDirections();
  verifyVariant(c, termsOfTimed(c), variants.at(-1)!, { seed, onStep });
  watchPlugins(null); // the runs are timed
  const launches = device === 'cuda' ? { launches: ['graph' as const] } : {};
  const how = { rounds, caches: ['warm' as const], ...launches, clock: 'wall' as const, check: false, seed, onStep };
  const rows = benchCase(c, variants, how);
  return variants.map(({ name }) => rows.filter((row) => row.variant === name).map(({ ms }) => ms));
}

function compareModels({ model, crop, plugins, seed }: ModelJob): ModelErrors {
  const opened = plugins.map(openHere);
  watchPlugins((plugin, direction) =>
    direction
      ? doing(plugin.file, `computing the ${direction} of ${plugin.op} in the model`)
      : doing(null, 'computing the model'),
  );
  return verifyModel(model, crop, opened, seed);
}

const WORK: { [K in keyof Jobs]: (job: Jobs[K]['job']) => Jobs[K]['result'] } = {
  describe,
  kernel: measure,
  trial: tryValues,
  model: compareModels,
};

function work({ kind, job }: { kind: keyof Jobs; job: never }): unknown {
  const { threads, device } = job as { threads?: number; device?: Device };
  if (threads) setThreads(threads);
  if (device) setDefaultDevice(device);
  return WORK[kind](job);
}

try {
  send({ result: work(JSON.parse(readFileSync(0, 'utf8')) as { kind: keyof Jobs; job: never }) });
} catch (error) {
  send({ problem: (error as Error).message, plugin: now.plugin });
}
// Threads started by a plugin may still run.
process.exit(0);
