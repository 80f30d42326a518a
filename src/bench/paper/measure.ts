/** The paper's networks: what they cost, and how fast they are here. */
import { eventLoop } from '../../core/event_loop';
import { countOps } from '../../models/flops';
import { fmaPeak } from '../../core/runtime';
import { rejectTooFast } from '../kernels/measure';
import { TimedNetwork, type RunTime } from '../models/network';
import type { PaperEntry, TableNumber, ViewCount } from './tables';
import { median, ratio, spread, type Ratio, type Spread } from '../statistics';

/** A measured network: median of rounds in which it and others took turns. */
export interface NetworkTime extends Spread {
  batch: number;
  /** Milliseconds of each round. */
  ms: number[];
  /** Processor time of all threads in each round, in ms. */
  cpuMs: number[];
  viewsPerSecond: number;
  /** Whole clips or images: all views of each. */
  clipsPerSecond: number;
  gflops: number;
  /** Of the multiply-adds from registers that the machine did in the same rounds. */
  shareOfPeak: number;
  limits: { gflops: number };
  /** How many times as many views a second as the published network, for one of an ablation. */
  speed: Ratio | null;
  /** Relative error of the logits against the same network of simple ops. */
  error: number;
}

/** A row of one of the paper's tables beside ours. */
export interface PaperRow {
  table: TableNumber;
  name: string;
  network: string;
  views: ViewCount;
  /** Ours: parameters, and multiply-adds of one view. */
  params: number;
  macs: number;
  paper: PaperEntry['paper'];
  note: string | null;
  /** Null where nothing was timed. */
  time: NetworkTime | null;
}

/** How networks are timed. */
export interface PaperOptions {
  rounds: number;
  /** Views at a time, of an image and of a video model. */
  batch: (kind: 'image' | 'video') => number;
  /** Called before a network runs. */
  onRun: (name: string) => void;
}

/** Errors of `body` begin with the name of the network they are about. */
function naming<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** Ours beside the paper's, nothing timed. */
export function countRow({ table, name, network, config, views, paper, note }: PaperEntry): PaperRow {
  const { params, macs } = countOps(config);
  return { table, name, network, views, params, macs, paper, note: note ?? null, time: null };
}

const WARM = 2;

/** Tables whose networks take turns: images, videos, and the ablations, which are compared with the network they change. */
const TURNS: readonly (readonly TableNumber[])[] = [[1], [3, 4, 5], [8, 9, 10]];

const turnsOf = (entries: readonly PaperEntry[]): PaperEntry[][] =>
  TURNS.map((tables) => entries.filter(({ table }) => tables.includes(table))).filter((group) => group.length > 0);

/** The networks of some rows, each once. */
const distinct = (entries: readonly PaperEntry[]): PaperEntry[] =>
  entries.filter((entry, i) => entries.findIndex(({ network }) => network === entry.network) === i);

/** Runs of networks that timing these rows takes: what a progress bar counts. */
export const runsOf = (entries: readonly PaperEntry[], rounds: number): number =>
  turnsOf(entries).reduce((sum, group) => sum + distinct(group).length * (WARM + rounds), 0);

/** Rounds in which all networks take turns, and the machine's limit beside each; two rounds before the first that counts. */
async function interleave(entries: readonly PaperEntry[], { rounds, batch, onRun }: PaperOptions) {
  const networks: TimedNetwork[] = [];
  try {
    for (const { config, simple = false } of entries)
      networks.push(new TimedNetwork({ config, batch: batch(config.kind), simple }));
    const errors = networks.map((network, i) => naming(entries[i]!.name, () => network.verify()));
    const [times, peaks] = [entries.map((): RunTime[] => []), [] as number[]];
    for (let round = -WARM; round < rounds; round++) {
      for (const [i, network] of networks.entries()) {
        onRun(entries[i]!.name);
        await eventLoop();
        const time = naming(entries[i]!.name, () => network.run());
        if (round >= 0) times[i]!.push(time);
      }
      if (round >= 0) peaks.push(fmaPeak(0.2));
    }
    return { times, errors, peak: median(peaks) };
  } finally {
    for (const network of networks) network.dispose();
  }
}

const wall = (times: readonly RunTime[]): number[] => times.map(({ ms }) => ms);

function timeOf(
  { name, macs, views }: PaperRow,
  batch: number,
  times: readonly RunTime[],
  peak: number,
): Omit<NetworkTime, 'speed' | 'error'> {
  const ms = wall(times);
  const middle = spread(ms);
  const viewsPerSecond = (1000 * batch) / middle.median;
  const gflops = (2 * macs * viewsPerSecond) / 1e9;
  const limits = { gflops: peak, gbs: Infinity };
  rejectTooFast(name, { ms: middle.median, work: { flops: 2 * macs * batch, bytes: 0 } }, { limits, cache: 'warm' });
  const clipsPerSecond = viewsPerSecond / (views.crops * views.clips);
  return {
    batch,
    ms,
    cpuMs: times.map((time) => time.cpuMs),
    ...middle,
    viewsPerSecond,
    clipsPerSecond,
    gflops,
    shareOfPeak: gflops / peak,
    limits: { gflops: peak },
  };
}

async function timeGroup(entries: readonly PaperEntry[], options: PaperOptions): Promise<PaperRow[]> {
  const networks = distinct(entries);
  const { times, errors, peak } = await interleave(networks, options);
  return entries.map((entry) => {
    const [row, i] = [countRow(entry), networks.findIndex(({ network }) => network === entry.network)];
    const speed = entry.table >= 8 && i > 0 ? ratio(wall(times[0]!), wall(times[i]!)) : null;
    return {
      ...row,
      time: { ...timeOf(row, options.batch(entry.config.kind), times[i]!, peak), speed, error: errors[i]! },
    };
  });
}

/**
 * Counts and times rows; a network that several rows share is timed once. Rejects where a time is shorter than the machine's limit allows,
 * a network's logits are not those of simple ops, or change from run to run.
 */
export async function timeRows(entries: readonly PaperEntry[], options: PaperOptions): Promise<PaperRow[]> {
  const rows: PaperRow[] = [];
  for (const group of turnsOf(entries)) rows.push(...(await timeGroup(group, options)));
  return rows;
}
