import { machine } from '../../bench/machine';
import { writeFileAtomic } from '../../formats/atomic';
import type { Device, Precision } from '../../core/native';
import { requireDevice, setThreads, threads } from '../../core/runtime';
import { byKernel, studyCost, WARM_UP, type Cost, type CostSum } from '../../study/cost';
import { randomSubject } from '../../study/subject';
import { setDefaultDevice } from '../../core/tensor';
import { bytes, percent, significant, table } from '../../terminal/format';
import { checkOutputs } from './outputs';
import { withProgress } from '../../terminal/progress';

/** Arguments of `morphmlp bench profile`. */
export interface BenchProfileArguments {
  model: string;
  work: 'forward' | 'train';
  batch: number;
  steps: number;
  device: Device;
  precision: Precision;
  threads?: number;
  out?: string;
}

const HEAD = ['kernel', 'calls', 'ms', 'time', 'GFLOP/s', 'MB', 'GB/s', 'of limit'];

const cells = ({ name, calls, ms, macs, read, written, gflops, gbs, share, limit }: CostSum, whole: number) => [
  ...[name, String(calls), significant(ms, 3), percent(ms / whole)],
  ...[macs > 0 ? significant(gflops, 3) : '–', ((read + written) / 1e6).toFixed(0), significant(gbs, 3)],
  `${percent(share, 0)} ${limit}`,
];

function print({ ops, total, ms, outsideMs, limits, peakBytes, steps }: Cost, kernels: readonly CostSum[]): void {
  console.log(
    table(
      [...kernels, total].map((sum) => cells(sum, ms)),
      { head: HEAD },
    ),
  );
  const calls = `${significant(outsideMs, 3)} ms of it outside of ${ops.length} kernel calls`;
  console.log(`${significant(ms, 4)} ms a step (median of ${steps}), ${calls}; tensors at most ${bytes(peakBytes)}`);
  console.log(`limits here and now: ${significant(limits.gflops, 3)} GFLOP/s, ${significant(limits.gbs, 3)} GB/s`);
}

/** Runs `morphmlp bench profile`. */
export async function benchProfile(given: BenchProfileArguments): Promise<void> {
  const { model, work, batch, steps, device, precision, out } = given;
  requireDevice(device);
  checkOutputs({ out });
  setDefaultDevice(device);
  setThreads(given.threads ?? threads());
  const subject = randomSubject(model);
  subject.network.precision = precision;
  const cost = await withProgress({ label: 'measuring', total: WARM_UP + steps }, (bar) =>
    Promise.resolve(studyCost(subject, { work, batch, steps }, (done, _, doing) => bar.update(done, [doing]))),
  );
  const kernels = byKernel(cost);
  print(cost, kernels);
  if (!out) return;
  const { ms, outsideMs, limits, peakBytes } = cost;
  const record = {
    machine: machine(),
    model,
    work,
    batch,
    steps,
    precision,
    ms,
    outsideMs,
    limits,
    peakBytes,
    kernels,
  };
  writeFileAtomic(out, (write) => write(Buffer.from(`${JSON.stringify(record, null, 1)}\n`)));
}
