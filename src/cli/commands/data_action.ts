import { writeFileSync } from 'node:fs';
import { runOptions } from '../../train/config/recipe';
import { DecodePool } from '../../data/video/decode_pool';
import { exportDataset, type ExportLayout } from '../../data/export';
import { Loader } from '../../data/loader';
import { openDataset } from '../../data/open';
import type { Batch } from '../../data/types';
import { contactSheet, type SheetRow } from '../../report/contact_sheet';
import { scope } from '../../core/scope';
import { inputOf } from '../../train/input';
import { percent } from '../../terminal/format';
import { checkOutputs } from './outputs';
import { Progress } from '../../terminal/progress';
import { resolveConfig, type TrainFlags } from './train_settings';

/** Arguments of `morphmlp data preview`. */
export type PreviewArguments = Pick<
  TrainFlags,
  'cfg' | 'preset' | 'data' | 'separator' | 'model' | 'frames' | 'crop' | 'augment' | 'seed'
> & { count: number; out: string };

/** Clip `row` of a network's input [B, 3, T, H, W] as bytes [T, H, W, 3]. */
function pixelsOf(x: Float32Array, batch: Batch, row: number): Uint8Array {
  const { mean, std } = batch.normalisation;
  const [, frames, height, width] = batch.shape;
  const plane = frames * height * width;
  const pixels = new Uint8ClampedArray(plane * 3);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < plane; i++) pixels[i * 3 + c] = (x[(row * 3 + c) * plane + i]! * std[c]! + mean[c]!) * 255;
  return new Uint8Array(pixels.buffer);
}

/** Label of a clip: its class, or the shares of the classes of a mixed clip. */
function captionOf(batch: Batch, row: number, names: readonly string[]): string {
  const { targets, labels, clips } = batch;
  const shares = targets
    ? [...targets.subarray(row * names.length, (row + 1) * names.length)]
        .map((share, i) => ({ share, name: names[i]! }))
        .sort((a, b) => b.share - a.share)
        .slice(0, 2)
        .map(({ share, name }) => `${name} ${percent(share)}`)
    : [names[labels[row]!] ?? 'mask'];
  return `${shares.join(' · ')}    ${clips[row]!.path}`;
}

function rowsOf(batch: Batch, names: readonly string[]): SheetRow[] {
  const [, frames, height, width] = batch.shape;
  const x = scope(() => inputOf(batch).floats());
  return batch.clips.map((_, row) => ({
    clip: { pixels: pixelsOf(x, batch, row), frames, height, width },
    caption: captionOf(batch, row, names),
  }));
}

/** Runs `morphmlp data preview`: draws the first batch of the first epoch from the network's normalised input. */
export async function preview(pairs: string[], { count, out, ...flags }: PreviewArguments): Promise<void> {
  if (!/\.png$/i.test(out)) throw new Error(`--out ${out}: expected a name that ends in .png`);
  checkOutputs({ out });
  const options = runOptions(resolveConfig(flags, pairs).config);
  const { clips, classes, seed, normalisation, mix } = options;
  const pool = new DecodePool(1);
  try {
    const opening = { clips: { ...clips, train: true }, classes: classes ?? undefined, seed };
    const dataset = openDataset(options.train, opening, pool);
    const batchSize = Math.max(1, Math.ceil(count / (clips.samples ?? 1)));
    const loader = new Loader(dataset, { batchSize, seed, normalisation, shuffle: true, ...(mix ? { mix } : {}) });
    for await (const { batch } of loader.epoch(0)) {
      const rows = rowsOf(batch, dataset.classNames).slice(0, count);
      writeFileSync(out, await contactSheet(rows));
      console.log(`${out}: ${rows.length} clips of ${clips.frames} x ${clips.crop} x ${clips.crop}`);
      break;
    }
  } finally {
    await pool.close();
  }
}

/** Arguments of `morphmlp data export`. */
export interface ExportArguments {
  as: ExportLayout;
  train: number;
  val: number;
  size: number;
  frames: number;
  seed: number;
}

/** Runs `morphmlp data export`. */
export async function exportClips(folder: string, given: ExportArguments): Promise<void> {
  const bar = new Progress({ label: 'exporting', total: given.train + given.val });
  const onFile = (done: number) => bar.update(done);
  const lists = await exportDataset(folder, { ...given, layout: given.as, onFile }).finally(() => bar.finish());
  const what = given.as === 'images' ? 'pictures' : 'clips';
  const beside = lists.length > 0 ? `; ${lists.join(', ')}` : '';
  console.log(`${folder}: ${given.train} ${what} for training, ${given.val} for validation${beside}`);
}
