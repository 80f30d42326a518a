/** Counts the cost of the paper's networks and times them. */
import { eventLoop } from '../../core/event_loop';
import { countOps } from '../../models/flops';
import { fmaPeak } from '../../core/runtime';
import { rejectTooFast } from '../kernels/measure';
import { TimedNetwork, type RunTime } from '../models/network';
import type { PaperEntry, TableNumber, ViewCount } from './tables';
import { median, ratio, spread, type Ratio, type Spread } from '../statistics';

/** The timing of a network in interleaved rounds. */
export interface NetworkTime extends Spread {
  batch: number;
  /** Milliseconds of each round. */
  ms: number[];
  /** CPU time of all threads in each round, in ms. */
  cpuMs: number[];
  viewsPerSecond: number;
  /** Whole clips or images, counting all views of each. */
  clipsPerSecond: number;
  gflops: number;
  /** The fraction of peak FMA throughput, measured in the same rounds. */
  shareOfPeak: number;
  limits: { gflops: number };
  /** For an ablation: speedup over the published network. */
  speed: Ratio | null;
  /** Relative error of the logits against the same network of simple ops. */
  error: number;
}

/** A row of one of the paper's tables with our figures. */
export interface PaperRow {
  table: TableNumber;
  name: string;
  network: string;
  views: ViewCount;
  /** Our count of parameters. */
  params: number;
  /** Our count of multiply-adds of one view. */
  macs: number;
  paper: PaperEntry['paper'];
  note: string | null;
  /** Null if not timed. */
  time: NetworkTime | null;
}

/** How to time networks. */
export interface PaperOptions {
  rounds: number;
  /** Batch size for an image or a video model. */
  batch: (kind: 'image' | 'video') => number;
  /** Called before a network runs. */
  onRun: (name: string) => void;
}

/** Prefixes errors of `body` with the network's name. */
function naming<T>(name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** A row without timing. */
export function countRow({ table, name, network, config, views, paper, note }: PaperEntry): PaperRow {
  const { params, macs } = countOps(config);
  return { table, name, network, views, params, macs, paper, note: note ?? null, time: null };
}

const WARM = 2;

/** Groups of tables whose networks are timed in interleaved rounds: images, videos, and ablations with their published network. */
const TURNS: readonly (readonly TableNumber[])[] = [[1], [3, 4, 5], [8, 9, 10]];

const turnsOf = (entries: readonly PaperEntry[]): PaperEntry[][] =>
  TURNS.map((tables) => entries.filter(({ table }) => tables.includes(table))).filter((group) => group.length > 0);

/** The first row of each distinct network. */
const distinct = (entries: readonly PaperEntry[]): PaperEntry[] =>
  entries.filter((entry, i) => entries.findIndex(({ network }) => network === entry.network) === i);

/** The number of network runs needed to time these rows, for a progress bar. */
export const countRuns = (entries: readonly PaperEntry[], rounds: number): number =>
  turnsOf(entries).reduce((sum, group) => sum + distinct(group).length * (WARM + rounds), 0);

/** Runs all networks in interleaved rounds after two warm-up rounds, and measures the FMA peak in each round. */
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
 * Counts and times rows; a network that several rows share is timed once. Rejects if a time is below the roofline, or if a network's logits
 * differ from those of simple ops or change from run to run.
 */
export async function timeRows(entries: readonly PaperEntry[], options: PaperOptions): Promise<PaperRow[]> {
  const rows: PaperRow[] = [];
  for (const group of turnsOf(entries)) rows.push(...(await timeGroup(group, options)));
  return rows;
}
