/** Reads the results files of bench kernels, bench paper and bench models into comparable rows. */
import { readFileSync } from 'node:fs';
import type { Limits } from './roofline';
import type { Ratio } from './statistics';

/** One measurement of a results file. */
export interface ResultRow {
  /** Identifies the measurement: op, stage, shape, direction, dtype, variant, cache, launch. Only equal ones are compared. */
  what: string;
  /** Milliseconds of each round. */
  ms: number[];
  /** CPU time of all threads in each round, in ms; null if the file has none. */
  cpuMs: number[] | null;
  /** The fraction of CPU time used by other programs; null if the file has none. */
  others: number | null;
  /** The roofline time of the measurement in ms; null if the file has none. */
  rooflineMs: number | null;
  /** Compiler flags; empty if the file has none. */
  flags: string;
  /** The measured thing without its variant: rows with the same `of` do the same work. */
  of: string;
  /** The op of a kernel, the network of a model. */
  op: string;
  /** The implementation: `morphmlp`, a library, a plugin, a peer. */
  variant: string;
  /** Rates and limits; null if the file has none. */
  rates: Rates | null;
  /** Speedup over ours in the same rounds; null for ours, and if the file has none. */
  speed: Ratio | null;
}

/** The rates of a measurement and the machine's limits in the same run. */
export interface Rates {
  gflops: number;
  /** The least bytes by the time; null for a whole network. */
  gbs: number | null;
  /** The fraction of the limit that was reached. */
  share: number;
  /** The limit that binds: `FMA` or `memory`. */
  limit: string;
  limits: Limits | null;
}

/** A results file. */
export interface Results {
  path: string;
  kind: 'kernels' | 'paper' | 'models';
  /** Measuring conditions by name. Figures of two files are comparable only if these agree. */
  terms: ReadonlyMap<string, string>;
  commit: string;
  date: string;
  rows: ResultRow[];
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0;

function parse(text: string): Fields {
  if (text.trim() === '') throw new Error('the file is empty');
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && isObject(value.machine) && Array.isArray(value.rows)) return value;
  } catch {
    throw new Error('expected JSON, got truncated or malformed text');
  }
  throw new Error('not a bench results file: expected an object with machine and rows');
}

/** Joins the values of these fields, skipping absent ones. */
const words = (row: Fields, ...names: string[]): string =>
  names.flatMap((name) => (row[name] === undefined ? [] : [String(row[name])])).join(' ');

/** Names the fields of a kernel's row, with defaults for older files, which lack some of them. */
function kernelWords(row: Fields, ...names: string[]): string {
  const whole = { dtype: 'f32', variant: 'morphmlp', cache: 'warm', ...row };
  return `${String(row.op)} stage ${String(row.stage)} ${words(whole, ...names)}`;
}

/** A kind of rows: how they are recognised and named, which object has their times, and what they measure. */
interface Kind {
  is: (row: Fields) => boolean;
  what: (row: Fields) => string;
  of: (row: Fields) => string;
  op: (row: Fields) => string;
  variant: (row: Fields) => unknown;
  timed: (row: Fields) => Fields | null;
}

const paperWhat = (row: Fields): string => `${String(row.network)}, batch ${String((row.time as Fields).batch)}`;

const KINDS: Record<Results['kind'], Kind> = {
  kernels: {
    is: (row) => 'op' in row,
    what: (row) => kernelWords(row, 'shape', 'direction', 'dtype', 'variant', 'cache', 'launch'),
    of: (row) => kernelWords(row, 'shape', 'direction', 'dtype', 'cache', 'launch'),
    op: (row) => String(row.op),
    variant: (row) => row.variant,
    timed: (row) => row,
  },
  paper: {
    is: (row) => 'network' in row,
    what: paperWhat,
    of: paperWhat,
    op: (row) => String(row.network),
    variant: () => undefined,
    timed: (row) => (isObject(row.time) ? row.time : null),
  },
  models: {
    is: (row) => 'case' in row,
    what: (row) => words({ precision: 'f32', ...row }, 'case', 'peer', 'precision', 'launch'), // older files, written before bf16, lack precision
    of: (row) => words({ precision: 'f32', ...row }, 'case', 'precision'),
    op: (row) => String(row.case),
    variant: (row) => row.peer,
    timed: (row) => row,
  },
};

function ratesOf(timed: Fields): Rates | null {
  const { gflops, gbs, shareOfLimit, shareOfPeak, limit, limits } = timed;
  const share = shareOfLimit ?? shareOfPeak;
  if (typeof gflops !== 'number' || typeof share !== 'number') return null;
  return {
    ...{ gflops, gbs: typeof gbs === 'number' ? gbs : null, share },
    limit: typeof limit === 'string' ? limit : 'FMA',
    limits: isObject(limits) ? (limits as unknown as Limits) : null,
  };
}

/** The roofline time in ms; null without a share of the limit. */
function rooflineOf(timed: Fields): number | null {
  const share = timed.shareOfLimit ?? timed.shareOfPeak;
  const middle = timed.median ?? timed.medianMs ?? timed.ms;
  return isTime(share) && isTime(middle) ? share * middle : null;
}

function readRow(kind: Kind, row: Fields, timed: Fields, flags: unknown): ResultRow {
  const what = kind.what(row);
  const ms = Array.isArray(timed.ms) ? (timed.ms as unknown[]) : timed.allMs;
  if (!Array.isArray(ms) || ms.length === 0 || !ms.every(isTime))
    throw new Error(`${what}: expected the times of its rounds in ms`);
  const cpuMs = Array.isArray(timed.cpuMs) && timed.cpuMs.every(isTime) ? timed.cpuMs : null;
  const others = typeof timed.others === 'number' ? timed.others : null;
  return {
    ...{ what, ms, cpuMs, others, rooflineMs: rooflineOf(timed), flags: typeof flags === 'string' ? flags : '' },
    ...{ of: kind.of(row), op: kind.op(row), variant: String(kind.variant(row) ?? 'morphmlp') },
    rates: ratesOf(timed),
    speed: isObject(timed.speed) ? (timed.speed as unknown as Ratio) : null,
  };
}

/** Compiler flags are given for each row, or once for the file. */
function readRows(kind: Results['kind'], { rows, flags }: Fields): ResultRow[] {
  const found = new Map<string, ResultRow>();
  (rows as unknown[]).forEach((row, i) => {
    if (!isObject(row) || !KINDS[kind].is(row)) throw new Error(`row ${i + 1} is not a row of bench ${kind}`);
    const timed = KINDS[kind].timed(row);
    if (!timed) return;
    const read = readRow(KINDS[kind], row, timed, row.flags ?? flags);
    found.set(read.what, read);
  });
  if (found.size === 0) throw new Error('the file contains no timed row');
  return [...found.values()];
}

/** Conditions of a measurement on a GPU. Threads and clock of the host do not affect it. */
const gpuTerms = (gpu: Fields): Fields => ({
  ...{ device: 'cuda', GPU: gpu.name, driver: gpu.driver ?? gpu.driverCuda, 'CUDA runtime': gpu.runtimeCuda },
  ...{ 'highest clock (MHz)': gpu.clockMhz },
});

function termsOf(file: Fields): Map<string, string> {
  const machine = file.machine as Fields;
  const terms: Fields = isObject(machine.gpu)
    ? { ...gpuTerms(machine.gpu), products: machine.products ?? 'own', processor: machine.cpu } // older files lack products
    : {
        ...{ device: machine.device ?? 'cpu', processor: machine.cpu, threads: machine.threads },
        ...{ 'instruction set': machine.kernels, clock: file.clock ?? 'wall' },
      };
  const known = Object.entries(terms).filter(([, value]) => value !== undefined);
  return new Map(known.map(([name, value]) => [name, String(value)]));
}

function kindOf(rows: readonly unknown[]): Results['kind'] {
  const [first] = rows;
  if (first === undefined) throw new Error('the file has no rows');
  const kind = Object.keys(KINDS).find((name) => isObject(first) && KINDS[name as Results['kind']].is(first));
  if (kind) return kind as Results['kind'];
  throw new Error('not a bench results file: expected rows of bench kernels, bench paper or bench models');
}

/** Reads the text of a results file; `path` names it. @throws if it is not one */
export function parseResults(path: string, text: string): Results {
  const file = parse(text);
  const machine = file.machine as Fields;
  const kind = kindOf(file.rows as unknown[]);
  const word = (value: unknown) => (typeof value === 'string' ? value : 'unknown');
  return {
    path,
    kind,
    terms: termsOf(file),
    commit: word(machine.commit),
    date: word(machine.date),
    rows: readRows(kind, file),
  };
}

/** Reads a results file. @throws an error that names the file and the fault */
export function readResults(path: string): Results {
  try {
    return parseResults(path, readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'file not found' : code === 'EISDIR' ? 'expected a file, got a folder' : message;
    throw new Error(`${path}: ${why}`, { cause: error });
  }
}
