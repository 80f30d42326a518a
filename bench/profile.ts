// npm run bench:profile -- [--variant video-s] [--work forward|train] [--batch 1] [--threads N] [--steps 3] [--out FILE]
// Where the time of a whole model goes, kernel by kernel: what `morphmlp study` measures, summed by kernel.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../src/bench/machine';
import { setThreads, threads } from '../src/runtime';
import { studyCost, sumOf, type CostSum } from '../src/study/cost';
import { randomSubject } from '../src/study/subject';

function show({ name, calls, ms, macs, read, written, gflops }: CostSum, whole: number, peak: number): void {
  const arithmetic = macs
    ? `${gflops.toFixed(1).padStart(6)} GFLOP/s ${((100 * gflops) / peak).toFixed(0).padStart(3)}%`
    : ''.padEnd(19);
  const time = `${ms.toFixed(1).padStart(8)} ms ${((100 * ms) / whole).toFixed(1).padStart(5)}%`;
  const bytes = `${((read + written) / 1e6).toFixed(0).padStart(6)} MB`;
  console.log(`${name.padEnd(31)} ${String(calls).padStart(4)}x ${time}  ${arithmetic}  ${bytes}`);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      ...{ variant: { type: 'string', default: 'video-s' }, work: { type: 'string', default: 'forward' } },
      ...{ batch: { type: 'string', default: '1' }, steps: { type: 'string', default: '3' } },
      ...{ threads: { type: 'string' }, out: { type: 'string' } },
    },
  });
  const { variant, work } = values;
  if (work !== 'forward' && work !== 'train') throw new Error(`expected --work forward or train, got ${work}`);
  setThreads(Number(values.threads ?? threads()));
  const options = { work, batch: Number(values.batch), steps: Number(values.steps) } as const;
  const { ops, ms, outsideMs, limits, peakBytes } = studyCost(randomSubject(variant), options);
  const names = [...new Set(ops.map((op) => op.kernel))];
  const sums = names.map((name) =>
    sumOf(
      name,
      'stem',
      ops.filter((op) => op.kernel === name),
    ),
  );
  const sorted = sums.sort((a, b) => b.ms - a.ms);
  sorted.forEach((sum) => show(sum, ms, limits.gflops));
  const peaks = `FMA peak ${limits.gflops.toFixed(0)} GFLOP/s; tensors at most ${(peakBytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(`${ms.toFixed(1)} ms a step, ${outsideMs.toFixed(1)} of it outside the kernels; ${peaks}`);
  const rows = sorted.map(({ name, ...figures }) => ({ kernel: name, ...figures }));
  const file = values.out ?? path.join('bench', 'results', `profile_${variant}_${work}.json`);
  const record = { machine: machine(), variant, ...options, ms, limits, peakBytes, rows };
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
  console.log(`written to ${file}`);
}

main();
