/** Tries the values of a kernel's parameters: each is verified, then timed in turn with the best so far. */
import path from 'node:path';
import type { Device, Precision } from '../../core/native';
import { median, ratio, type Ratio } from '../statistics';
import type { KernelCase } from './kernel_case';
import { runJob } from './plugin_process';
import type { Failure, PluginDescription } from './protocol';
import { placeOf } from './stages';

/** Values of a kernel's parameters, by name. */
export type Values = Readonly<Record<string, number>>;

type Parameters = PluginDescription['parameters'];

/** Formats values: `block_m=48 block_k=256`. */
export const valuesText = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const combinations = (parameters: Parameters): Values[] =>
  parameters.reduce<Values[]>(
    (all, { name, values }) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );

/**
 * The values to try: all combinations if there are at most `most`; else one parameter at a time beside the best values so far, again and
 * again until a whole pass improves nothing. Yields no values twice, and at most `most`.
 */
export function* candidates(parameters: Parameters, most: number, best: () => Values): Generator<Values> {
  const seen = new Set([valuesText(best())]);
  const fresh = (values: Values) => seen.size <= most && !seen.has(valuesText(values)) && seen.add(valuesText(values));
  if (parameters.reduce((count, { values }) => count * values.length, 1) <= most + 1) {
    for (const values of combinations(parameters)) if (fresh(values)) yield values;
    return;
  }
  for (let before: Values | null = null; before !== best();) {
    before = best();
    for (const { name, values } of parameters)
      for (const value of values) {
        const tried = { ...best(), [name]: value };
        if (fresh(tried)) yield tried;
      }
  }
}

/** What to tune, and how. */
export interface TuneOptions {
  file: string;
  cases: readonly KernelCase[];
  precision: Precision;
  device: Device;
  parameters: Parameters;
  /** The values to start from. */
  start: Values;
  /** The most values to try beside the first. */
  trials: number;
  rounds: number;
  seed: number;
  threads: number;
  /** Milliseconds that the kernel may run without progress. */
  timeout: number;
  /** Ends the tuning, and the process in which the kernel runs. */
  signal: AbortSignal;
  onStep: (tried: number, values: Values, doing: string) => void;
  /** Called with each improvement. */
  onBetter: (values: Values) => void;
}

/** Values that were timed. */
export interface Trial {
  values: Values;
  /** Median time of forward and backward of all cases. */
  ms: number;
  /** Speedup over the best values before; null for the first. */
  speed: Ratio | null;
}

/** The result of a tuning. */
export interface Tuned {
  best: Values;
  trials: Trial[];
  failures: Failure[];
  /** Speedup of the best values over the first in a last comparison; null if the first are the best, or it was interrupted. */
  speed: Ratio | null;
}

/** Verifies the last of the values, and times all in turn: for each its milliseconds by round, summed over the cases and directions. */
async function time(values: readonly Values[], tried: number, options: TuneOptions): Promise<number[][]> {
  const { file, cases, precision, device, rounds, seed, threads, timeout, signal, onStep } = options;
  let sums: number[][] = values.map(() => new Array<number>(rounds).fill(0));
  for (const { op, stage } of cases) {
    const job = { op, stage, precision, file, values, device, seed, rounds, threads };
    const step = (_: string | null, doing: string) => onStep(tried, values.at(-1)!, `${op} stage ${stage} ${doing}`);
    const outcome = await runJob('trial', job, { timeout, signal, onStep: step });
    if (!('result' in outcome)) throw new Error(`${placeOf({ op, stage })}: ${outcome.problem}`);
    const done = Math.min(...outcome.result.flat().map((ms) => ms.length)); // slow kernels have fewer rounds
    sums = sums.map((sum, i) =>
      sum.slice(0, done).map((ms, round) => outcome.result[i]!.reduce((all, times) => all + times[round]!, ms)),
    );
  }
  return sums;
}

/** Tunes a kernel. Values with which it fails are reported and not kept. @throws if it fails with the first */
export async function tune(options: TuneOptions): Promise<Tuned> {
  const { file, start, signal, onBetter } = options;
  let best = start;
  const [trials, failures]: [Trial[], Failure[]] = [[], []];
  try {
    const [first] = await time([start], 0, options);
    trials.push({ values: start, ms: median(first!), speed: null });
  } catch (error) {
    if (!signal.aborted) throw new Error(`${path.basename(file)}: ${(error as Error).message}`, { cause: error });
  }
  for (const values of candidates(options.parameters, options.trials, () => best)) {
    if (signal.aborted) break;
    try {
      const [before, now] = await time([best, values], trials.length + failures.length, options);
      const speed = ratio(before!, now!);
      trials.push({ values, ms: median(now!), speed });
      if (speed.verdict !== 'faster') continue;
      best = values;
      onBetter(best);
    } catch (error) {
      if (!signal.aborted) failures.push({ plugin: file, at: valuesText(values), problem: (error as Error).message });
    }
  }
  if (best === start || signal.aborted) return { best, trials, failures, speed: null };
  const [before, now] = await time([start, best], trials.length + failures.length, options);
  return { best, trials, failures, speed: ratio(before!, now!) };
}
