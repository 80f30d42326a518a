import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { buildCommand, buildKernel } from '../../bench/kernels/build_kernel';
import type { KernelCase } from '../../bench/kernels/kernel_case';
import type { KernelRow } from '../../bench/kernels/measure';
import { describePlugin, runJob } from '../../bench/kernels/plugin_process';
import type { KernelJob, KernelResult } from '../../bench/kernels/protocol';
import { placeOf } from '../../bench/kernels/stages';
import { independentRatio } from '../../bench/statistics';
import { OURS } from '../../bench/kernels/variant';
import type { Precision } from '../../core/native';
import { requireDevice, threads } from '../../core/runtime';
import { significant } from '../../terminal/format';
import { defaultCases, precisionFor } from './kernel_choice';
import { speedText } from './kernel_table';

/** Arguments of `morphmlp kernel watch`. */
export interface WatchArguments {
  stage?: number[];
  dtype?: Precision;
  rounds: number;
  threads?: number;
  seed?: number;
  timeout: number;
}

const POLL_MS = 200;

/** The rounds of the version before, by case and direction. */
type Times = Map<string, number[]>;

/** One pass over the three steps. */
interface Pass {
  source: string;
  flags: readonly string[];
  given: WatchArguments;
  before: Times;
  /** Ends the pass: the source was saved again, or the command ends. */
  signal: AbortSignal;
}

function say(step: string, text: string): void {
  console.log(`${pc.dim(new Date().toTimeString().slice(0, 8))}  ${step.padEnd(5)}  ${text}`);
}

/** Runs a job of the kernel. @throws the problem, with its place */
async function runCase(file: string, c: KernelCase, time: KernelJob['time'], pass: Pass): Promise<KernelResult> {
  const { given, signal } = pass;
  const described = await describePlugin(file, { timeout: 1000 * given.timeout, signal });
  requireDevice(described.device);
  const precision = precisionFor(described, given.dtype, file);
  const { seed = randomInt(2 ** 20), timeout, threads: count = threads() } = given;
  const what = { op: c.op, stage: c.stage, precision, device: described.device, plugins: [file] };
  const job: KernelJob = { ...what, seed, time, threads: count, withoutPeers: true };
  const outcome = await runJob('kernel', job, { timeout: 1000 * timeout, signal });
  const problem = 'result' in outcome ? outcome.result.failures[0]?.problem : outcome.problem;
  if (problem !== undefined || !('result' in outcome)) throw new Error(`${placeOf(c)}: ${problem}`);
  return outcome.result;
}

async function check(file: string, cases: readonly KernelCase[], pass: Pass): Promise<string> {
  const errors: { forward: number; gradient: number | null }[] = [];
  for (const c of cases) errors.push(...(await runCase(file, c, null, pass)).checked);
  const most = Math.max(...errors.map(({ forward }) => forward)).toExponential(1);
  const gradients = errors.flatMap(({ gradient }) => gradient ?? []);
  const gradient = gradients.length > 0 ? Math.max(...gradients).toExponential(1) : 'none';
  return `right at stage ${[...new Set(cases.map(({ stage }) => stage))].join(', ')}: error forward ${most}, gradient ${gradient}`;
}

/** `forward 5.61 ms (0.501 of ours), 1.2 (1.1–1.3) times as fast as before`. */
function timeText(row: KernelRow, before: readonly number[] | undefined): string {
  const ours = row.speed ? ` (${significant(row.speed.median, 3)} of ours)` : '';
  const change = before ? `, ${speedText(independentRatio(before, row.ms))} times as fast as before` : '';
  return `${row.direction} ${significant(row.median, 3)} ms${ours}${change}`;
}

async function bench(file: string, c: KernelCase, pass: Pass): Promise<string> {
  const { rounds } = pass.given;
  const time = { rounds, caches: ['warm' as const], clock: 'wall' as const, check: false };
  const { rows } = await runCase(file, c, time, pass);
  const texts = rows
    .filter(({ variant }) => variant !== OURS.name)
    .map((row) => {
      const key = `${placeOf(c)} ${row.direction}`;
      const text = timeText(row, pass.before.get(key));
      pass.before.set(key, row.ms);
      return text;
    });
  return `${placeOf(c)}: ${texts.join('; ')}`;
}

/** Builds, checks and times the kernel; the first step that fails is reported in a line and ends the pass. */
async function runPass(pass: Pass): Promise<void> {
  const { source, flags, given, signal } = pass;
  let step = 'build';
  try {
    const since = performance.now();
    const file = path.resolve(await buildKernel(source, flags, signal));
    if (signal.aborted) return;
    say(step, `${path.basename(file)} in ${((performance.now() - since) / 1e3).toFixed(1)} s`);
    step = 'check';
    const { op } = await describePlugin(file, { timeout: 1000 * given.timeout, signal });
    const cases = defaultCases(op, given.stage);
    say(step, await check(file, cases, pass));
    step = 'bench';
    for (const c of cases) say(step, await bench(file, c, pass));
  } catch (error) {
    if (!signal.aborted) say(step, pc.red(`failed: ${(error as Error).message}`));
  }
}

/** Runs `morphmlp kernel watch` until SIGINT. A kernel that fails does not end it. */
export async function watchKernel(source: string, flags: readonly string[], given: WatchArguments): Promise<void> {
  if (!existsSync(source)) throw new Error(`${source}: no such file`);
  buildCommand(source, { extra: flags }); // throws if no compiler knows the file
  const ending = new AbortController();
  process.once('SIGINT', () => ending.abort());
  let saved = new AbortController();
  watchFile(source, { interval: POLL_MS }, (now, last) => {
    if (now.mtimeMs !== 0 && (now.mtimeMs !== last.mtimeMs || now.size !== last.size)) saved.abort();
  });
  const before: Times = new Map();
  console.log(`watching ${source}; Ctrl-C ends`);
  while (!ending.signal.aborted) {
    saved = new AbortController();
    const signal = AbortSignal.any([ending.signal, saved.signal]);
    await runPass({ source, flags, given, before, signal });
    if (!signal.aborted) await once(signal, 'abort');
  }
  unwatchFile(source);
}
