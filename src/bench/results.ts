/** Reads the results files of bench kernels, bench paper and bench models into comparable rows. */
import { readFileSync } from 'node:fs';

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

function parse(path: string): Fields {
  const text = readFileSync(path, 'utf8');
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

function kernelWhat(row: Fields): string {
  const whole = { dtype: 'f32', variant: 'morphmlp', cache: 'warm', ...row }; // defaults for older files, which lack these fields
  const what = words(whole, 'shape', 'direction', 'dtype', 'variant', 'cache', 'launch');
  return `${String(row.op)} stage ${String(row.stage)} ${what}`;
}

/** How the rows of each kind are recognised and named, and which object has their times. */
const KINDS: Record<
  Results['kind'],
  { is: (row: Fields) => boolean; what: (row: Fields) => string; timed: (row: Fields) => Fields | null }
> = {
  kernels: { is: (row) => 'op' in row, what: kernelWhat, timed: (row) => row },
  paper: {
    is: (row) => 'network' in row,
    what: (row) => `${String(row.network)}, batch ${String((row.time as Fields).batch)}`,
    timed: (row) => (isObject(row.time) ? row.time : null),
  },
  models: {
    is: (row) => 'case' in row,
    what: (row) => words({ precision: 'f32', ...row }, 'case', 'peer', 'precision', 'launch'), // older files, written before bf16, lack precision
    timed: (row) => row,
  },
};

function readRow(timed: Fields, what: string, flags: unknown): ResultRow {
  const ms = Array.isArray(timed.ms) ? (timed.ms as unknown[]) : timed.allMs;
  if (!Array.isArray(ms) || ms.length === 0 || !ms.every(isTime))
    throw new Error(`${what}: expected the times of its rounds in ms`);
  const share = timed.shareOfLimit ?? timed.shareOfPeak;
  const middle = timed.median ?? timed.medianMs ?? timed.ms;
  const rooflineMs = isTime(share) && isTime(middle) ? share * middle : null;
  const cpuMs = Array.isArray(timed.cpuMs) && timed.cpuMs.every(isTime) ? timed.cpuMs : null;
  const others = typeof timed.others === 'number' ? timed.others : null;
  return { what, ms, cpuMs, others, rooflineMs, flags: typeof flags === 'string' ? flags : '' };
}

/** Compiler flags are given for each row, or once for the file. */
function readRows(kind: Results['kind'], { rows, flags }: Fields): ResultRow[] {
  const found = new Map<string, ResultRow>();
  (rows as unknown[]).forEach((row, i) => {
    if (!isObject(row) || !KINDS[kind].is(row)) throw new Error(`row ${i + 1} is not a row of bench ${kind}`);
    const timed = KINDS[kind].timed(row);
    if (!timed) return;
    const what = KINDS[kind].what(row);
    found.set(what, readRow(timed, what, row.flags ?? flags));
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

/** Reads a results file. @throws an error that names the file and the fault */
export function readResults(path: string): Results {
  try {
    const file = parse(path);
    const machine = file.machine as Fields;
    const kind = kindOf(file.rows as unknown[]);
    const text = (value: unknown) => (typeof value === 'string' ? value : 'unknown');
    return {
      path,
      kind,
      terms: termsOf(file),
      commit: text(machine.commit),
      date: text(machine.date),
      rows: readRows(kind, file),
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'file not found' : code === 'EISDIR' ? 'expected a file, got a folder' : message;
    throw new Error(`${path}: ${why}`, { cause: error });
  }
}
