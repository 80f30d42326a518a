import { randomInt } from 'node:crypto';
import path from 'node:path';
import { describePlugin } from '../../bench/kernels/plugin_process';
import { defaultCases, precisionFor } from './kernel_choice';
import { tune, valuesText, type Trial, type Tuned, type Values } from '../../bench/kernels/tune';
import type { Precision } from '../../core/native';
import { tunedFile } from '../../core/plugins';
import { requireDevice, threads } from '../../core/runtime';
import { writeFileAtomic } from '../../formats/atomic';
import { table } from '../../terminal/format';
import { withProgress } from '../../terminal/progress';
import { printFailures, speedText } from './kernel_table';

/** Arguments of `morphmlp kernel tune`. */
export interface TuneArguments {
  stage?: number[];
  dtype?: Precision;
  trials: number;
  rounds: number;
  threads?: number;
  seed?: number;
  timeout: number;
}

function printTrials(trials: readonly Trial[]): void {
  if (trials.length === 0) return;
  const cells = trials.map(({ values, ms, speed }) => [
    ...[valuesText(values), ms.toFixed(2), speed ? speedText(speed) : 'first'],
    speed?.verdict === 'faster' ? 'kept' : '',
  ]);
  const head = ['values', 'ms', 'times as fast as the best before', ''];
  console.log(table(cells, { head, align: ['left', 'right', 'right', 'left'] }));
}

function printEnd(
  { best, trials, speed }: Tuned,
  start: Values,
  { file, stopped }: { file: string; stopped: boolean },
) {
  if (stopped) console.log(`interrupted after ${trials.length} trials`);
  if (best === start) console.log(`${valuesText(start)}: no other values are faster; nothing was written`);
  else {
    const gain = speed ? `, ${speedText(speed)} times as fast as ${valuesText(start)}` : '';
    console.log(`${valuesText(best)}${gain}\nwrote ${tunedFile(file)}, which is read with the library from now on`);
  }
}

/** Runs `morphmlp kernel tune`. SIGINT ends it; the best values so far are kept. Exit status 1 if values make the kernel fail. */
export async function tuneKernel(library: string, given: TuneArguments): Promise<void> {
  const file = path.resolve(library);
  const timeout = 1000 * given.timeout;
  const described = await describePlugin(file, { timeout });
  const { op, device, parameters, values: start } = described;
  if (parameters.length === 0)
    throw new Error(`${library}: it declares no parameters (morphmlp_parameter in morphmlp_kernel.h)`);
  requireDevice(device);
  const precision = precisionFor(described, given.dtype, library);
  const cases = defaultCases(op, given.stage);
  const ending = new AbortController();
  const { signal } = ending;
  const stop = () => ending.abort();
  process.once('SIGINT', stop);
  const keep = (values: Values) => {
    const text = JSON.stringify(
      { op, dtype: precision, stages: [...new Set(cases.map(({ stage }) => stage))], values },
      null,
      1,
    );
    writeFileAtomic(tunedFile(file), (write) => write(Buffer.from(`${text}\n`)));
  };
  try {
    const tuned = await withProgress({ label: 'tuning', total: 0 }, (bar) => {
      const onStep = (tried: number, values: Values, doing: string) => bar.update(tried, [valuesText(values), doing]);
      const how = { trials: given.trials, rounds: given.rounds, threads: given.threads ?? threads(), timeout, signal };
      const what = { file, cases, precision, device, parameters, start, seed: given.seed ?? randomInt(2 ** 20) };
      return tune({ ...what, ...how, onStep, onBetter: keep });
    });
    printTrials(tuned.trials);
    printEnd(tuned, start, { file, stopped: signal.aborted });
    printFailures(tuned.failures);
  } finally {
    process.removeListener('SIGINT', stop);
  }
}
