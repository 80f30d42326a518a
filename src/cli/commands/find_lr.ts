/** `morphmlp train --find-lr`: tries learning rates on the data of a run, and draws the losses. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { renderRatePage } from '../../report/rate_page';
import { Progress } from '../../terminal/progress';
import { findRate, RATE_TEST, type Point } from '../../train/find_lr';
import type { Run } from '../../train/run';

const rateText = (rate: number): string => rate.toExponential(1);

/** Lines of averaged losses at about `count` rates, with a bar of their height over the lowest. */
function sketch(smoothed: readonly Point[], count: number): string[] {
  const known = smoothed.flatMap(([rate, loss]) => (loss === null ? [] : [{ rate, loss }]));
  const [least, most] = [Math.min(...known.map(({ loss }) => loss)), Math.max(...known.map(({ loss }) => loss))];
  const bar = (loss: number): string => '━'.repeat(Math.round((32 * (loss - least)) / (most - least || 1)));
  const step = Math.max(1, Math.floor(known.length / count));
  return known
    .filter((_, i) => i % step === step - 1)
    .map(({ rate, loss }) => `  ${rateText(rate)}  ${loss.toFixed(3).padStart(7)}  ${bar(loss)}`);
}

/** Runs the test and says which rate to use. Saves nothing but its page. */
export async function findLearningRate(run: Run, about: string): Promise<void> {
  let stopped = false;
  const stop = (): void => void (stopped = true);
  process.once('SIGINT', stop);
  const bar = new Progress({ label: 'trying rates', total: RATE_TEST.steps });
  try {
    const found = await findRate(run, RATE_TEST, (done, loss) => {
      bar.update(done, { loss });
      return !stopped;
    });
    bar.finish();
    const page = path.join(run.options.out, 'find_lr.html');
    writeFileSync(page, renderRatePage({ about, ...found }));
    console.log(sketch(found.smoothed, 16).join('\n'));
    console.log(
      `\ntrain with ${pc.bold(`--lr ${rateText(found.rate)}`)}: a tenth of the rate with the lowest average loss`,
    );
    console.log(`page        ${page}`);
  } finally {
    bar.finish();
    process.removeListener('SIGINT', stop);
    await run.close();
    run.dispose();
  }
}
