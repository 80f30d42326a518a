import { threads } from '../../core/runtime';
import { slicesOf } from '../../distributed/gradient_sum';
import type { Ranks } from '../../distributed/ranks';
import { measureShared, measureStep, type SharedSteps, type StepShape } from '../../bench/distributed/measure';
import { predictStep, type MeasuredStep } from '../../bench/distributed/predict';
import { writeFileAtomic } from '../../formats/atomic';
import { create, type MorphMLP } from '../../models/morphmlp';
import { percent, significant, table } from '../../terminal/format';
import { joinRanks, shareThreads, useDevice } from './join_ranks';
import { checkOutputs } from './outputs';

/** Arguments of `morphmlp bench distributed`. */
export interface BenchDistributedArguments extends StepShape {
  model: string;
  frames: number;
  threads?: number;
  ranks: number[];
  gbps: number[];
  latency: number;
  rankTimeout?: number;
  reduction: 'exact' | 'fast';
  json?: string;
}

function makeModel({ model, frames, crop }: BenchDistributedArguments): MorphMLP {
  const video = model.startsWith('video');
  if (crop % 32 !== 0) throw new Error(`--crop: expected a multiple of 32, got ${crop}`);
  return create(model, video ? { frames } : {}).train() as MorphMLP;
}

function slicesFor({ batchSize, microBatch }: StepShape, ranks: Ranks): number {
  if (batchSize % microBatch !== 0)
    throw new Error(`a batch of ${batchSize} cannot be summed of parts of ${microBatch}: give a divisor`);
  return slicesOf(batchSize / microBatch, ranks).count;
}

function arrivalText({ arrivals, backwardMs }: MeasuredStep): string {
  const total = arrivals.reduce((sum, { bytes }) => sum + bytes, 0);
  const reached = [0.5, 0.8, 0.9].map((share) => {
    let bytes = 0;
    const at = arrivals.find((arrival) => (bytes += arrival.bytes) >= share * total)!;
    return `${percent(share, 0)} at ${percent(at.ms / backwardMs, 0)}`;
  });
  return `gradients: ${significant(total / 1e6, 3)} MB, ready in the backward: ${reached.join(', ')}`;
}

/** Efficiencies for each number of ranks and line rate. */
function predictions(step: MeasuredStep, { ranks, gbps, latency: latencyUs }: BenchDistributedArguments) {
  return ranks.map((n) => ({
    ranks: n,
    efficiency: gbps.map((rate) => step.stepMs / predictStep(step, { ranks: n, gbps: rate, latencyUs })),
  }));
}

function showShared({ stepMs, waitedMs, bytes, busyMs }: SharedSteps, own: MeasuredStep, ranks: Ranks): void {
  const rate = `${significant(bytes / 1e6, 3)} MB sent, ${significant(bytes / 1e3 / busyMs, 3)} MB/s while sums are under way`;
  console.log(
    `${ranks.size} ranks (${ranks.connection}): ${significant(stepMs, 4)} ms a step, waiting ${percent(waitedMs / stepMs)}; ${rate}`,
  );
  console.log(`efficiency ${percent(own.stepMs / stepMs)} of the step without an exchange, while all ranks take one`);
}

/** Runs `morphmlp bench distributed`. */
export async function benchDistributed(given: BenchDistributedArguments): Promise<void> {
  const ranks = joinRanks({ timeout: given.rankTimeout });
  const slices = ranks.agree(() => {
    checkOutputs({ json: given.json });
    useDevice(ranks, 'cpu');
    shareThreads(ranks, given.threads);
    return slicesFor(given, ranks);
  });
  const model = makeModel(given);
  const own = measureStep(model, given, slices);
  const shared = ranks.size > 1 ? measureShared(model, given, ranks, given.reduction === 'fast') : null;
  model.dispose();
  if (!ranks.isMain) return;
  const predicted = predictions(own, given);
  console.log(
    `${given.model}: ${slices} slices of ${given.microBatch} clips a rank, ${threads()} threads, ${significant(own.stepMs, 4)} ms a step`,
  );
  console.log(arrivalText(own));
  if (shared) showShared(shared, own, ranks);
  const head = ['predicted efficiency', ...given.gbps.map((rate) => `${rate} Gb/s`)];
  const rows = predicted.map(({ ranks: n, efficiency }) => [
    `${n} ranks`,
    ...efficiency.map((share) => percent(share, 0)),
  ]);
  console.log(table(rows, { head, align: ['left', ...given.gbps.map(() => 'right' as const)] }));
  if (given.json)
    writeFileAtomic(given.json, (write) =>
      write(Buffer.from(JSON.stringify({ own, shared, gbps: given.gbps, predicted }))),
    );
}
