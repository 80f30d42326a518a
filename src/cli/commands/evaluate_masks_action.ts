import type { Device, Precision } from '../../core/native';
import { setDefaultDevice } from '../../core/tensor';
import { Philox } from '../../core/philox';
import { openDataset, specOf } from '../../data/open';
import { isUnreadable, type Dataset } from '../../data/types';
import { testClips } from '../../data/video/clip_plan';
import { DecodePool } from '../../data/video/decode_pool';
import { loadSegmenter } from '../../models/load';
import { percent } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { printable } from '../../terminal/text_width';
import { PixelConfusion, segmentMeasures } from '../../train/segment_metrics';
import { segmentPicture } from '../../train/segment';
import { segmentOptionsOf, type SegmentFlags } from './segment_options';

/** Arguments of `morphmlp evaluate` for a segmentation model. */
export interface EvaluateMasksArguments extends SegmentFlags {
  data: string;
  device: Device;
  precision: Precision;
  reduceZeroLabel?: boolean;
  json?: boolean;
}

function openMasks(
  { data, reduceZeroLabel = false }: EvaluateMasksArguments,
  model: ReturnType<typeof loadSegmenter>,
  pool: DecodePool,
) {
  const spec = specOf(data);
  const kind = spec.kind === 'list' ? ('pairs' as const) : spec.kind;
  if (kind === 'motion')
    throw new Error(`${data} has no masks: give a folder of pictures and masks, or segment-shapes`);
  const opening = { clips: testClips(model.input), known: model.classNames, knownFrom: 'the checkpoint' };
  return openDataset({ ...spec, kind, reduceZeroLabel }, opening, pool);
}

/** Runs `morphmlp evaluate` for a segmentation model. */
export async function evaluateMasks(checkpoint: string, given: EvaluateMasksArguments): Promise<void> {
  setDefaultDevice(given.device);
  const model = loadSegmenter(checkpoint);
  const pool = new DecodePool(1);
  try {
    model.network.precision = given.precision;
    model.network.eval();
    const dataset = openMasks(given, model, pool);
    const { confusion, skipped } = await count(dataset, model, given);
    if (confusion.pixels === 0)
      throw new Error(`${given.data}: no picture could be evaluated: ${skipped[0] ?? 'no pixel has a class'}`);
    show(confusion, dataset, skipped, given.json ?? false);
  } finally {
    model.network.dispose();
    await pool.close();
  }
}

async function count(
  dataset: Dataset,
  { network, input }: ReturnType<typeof loadSegmenter>,
  given: EvaluateMasksArguments,
) {
  const confusion = new PixelConfusion(dataset.classNames.length);
  const skipped: string[] = [];
  const options = segmentOptionsOf(given);
  const bar = new Progress({ label: 'evaluating', total: dataset.length });
  for (let i = 0; i < dataset.length; i++) {
    try {
      const clip = await dataset.clip(i, new Philox(0));
      const { pixels } = await segmentPicture(network, clip, input.normalisation, clip.mask!, options);
      confusion.add(clip.mask!.pixels, pixels);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      skipped.push((error as Error).message);
    }
    bar.update(i + 1);
  }
  bar.finish();
  return { confusion, skipped };
}

function show(confusion: PixelConfusion, dataset: Dataset, skipped: readonly string[], json: boolean): void {
  const { classes, ...means } = segmentMeasures(confusion.rows());
  const named = classes.map((one, i) => ({ name: dataset.classNames[i]!, ...one }));
  const pictures = dataset.length - skipped.length;
  if (json)
    return console.log(
      JSON.stringify({
        ...means,
        pictures,
        pixels: confusion.pixels,
        classes: named,
        confusion: confusion.rows(),
        skipped,
      }),
    );
  const shown = (share: number | null): string => (share === null ? '–' : percent(share)).padStart(8);
  const width = Math.max(5, ...named.map(({ name }) => name.length));
  console.log(`${'class'.padEnd(width)}      IoU  accuracy       pixels`);
  for (const { name, iou, accuracy, pixels } of named)
    console.log(
      `${printable(name).padEnd(width)} ${shown(iou)}  ${shown(accuracy)} ${pixels.toLocaleString('en').padStart(12)}`,
    );
  console.log(
    `mIoU ${percent(means.miou)}  pixel accuracy ${percent(means.pixelAccuracy)}  mean accuracy ${percent(means.meanAccuracy)}  of ${pictures} pictures`,
  );
  for (const reason of skipped) console.error(`not evaluated: ${printable(reason)}`);
}
