import pc from 'picocolors';
import { DecodePool } from '../data/decode_pool';
import { Loader } from '../data/loader';
import { evaluate as evaluateModel, type Evaluation } from '../train/evaluate';
import { openDataset } from '../train/run';
import { load } from '../models/load';
import { percent } from './options';
import { Progress } from './progress';

/** What the command line gives. */
export interface EvaluateArguments {
  data: string;
  checkpoint: string;
  batchSize: number;
  workers: number;
  separator: string;
  json?: boolean;
}

function classLines({ confusion }: Evaluation, names: readonly string[]): string[] {
  const width = Math.max(...names.map((n) => n.length));
  return names.map((name, i) => {
    const row = confusion[i] as number[];
    const total = row.reduce((a, b) => a + b, 0);
    return `  ${name.padEnd(width)}  ${total === 0 ? 'no clips' : `${percent(row[i]! / total)} of ${total}`}`;
  });
}

/** Runs `morphmlp evaluate`. */
export async function evaluate({
  data,
  checkpoint,
  batchSize,
  workers,
  separator,
  json,
}: EvaluateArguments): Promise<void> {
  const { network, classNames, input } = load(checkpoint);
  const pool = new DecodePool(workers);
  try {
    const dataset = openDataset(data, input, pool, { train: false, known: classNames, separator });
    const loader = new Loader(dataset, { batchSize, seed: 0, shuffle: false });
    const bar = new Progress({ label: 'evaluating', total: loader.batches });
    const found = await evaluateModel(network, loader, (done) => bar.update(done));
    bar.finish();
    const { clips, loss, top1, top5, confusion } = found;
    const skipped = [...loader.skipped.values()];
    if (json)
      return console.log(
        JSON.stringify({ checkpoint, data, views: 1, clips, loss, top1, top5, confusion, classNames, skipped }),
      );
    console.log(
      `top-1 ${pc.bold(percent(top1))}  top-5 ${percent(top5)}  loss ${loss.toFixed(4)}  on ${clips} clips, 1 view each`,
    );
    console.log(classLines(found, classNames).join('\n'));
    if (skipped.length > 0)
      console.error(`${skipped.length} files skipped:\n${skipped.map((s) => `  ${s.reason}`).join('\n')}`);
  } finally {
    network.dispose();
    await pool.close();
  }
}
