import { extname } from 'node:path';
import sharp from 'sharp';
import { setDefaultDevice } from '../../core/tensor';
import { classColours, encodeMask, type Mask } from '../../data/masks/png';
import { pictureSize, readPicture } from '../../data/pictures/pictures';
import { scaleShortSide } from '../../data/sampling';
import { writeFileAtomic } from '../../formats/atomic';
import { loadSegmenter } from '../../models/load';
import { percent } from '../../terminal/format';
import { printable } from '../../terminal/text_width';
import { segmentPicture } from '../../train/segment';
import { checkOutputs } from './outputs';
import type { PredictArguments } from './predict_arguments';
import { segmentOptionsOf } from './segment_options';

/** Flags of `predict` that are of clips. */
const OF_CLIPS = ['csv', 'sheet', 'every', 'window', 'timeline', 'framesAsClip', 'frameSize', 'ignoreSar'] as const;

/** Share of a class in an overlay. */
const COVER = 0.5;

function check(inputs: readonly string[], args: PredictArguments): string {
  const wrong = OF_CLIPS.find((name) => args[name] !== undefined);
  if (wrong === 'window')
    throw new Error('--window is a time, for models that classify clips; --sliding-window is a number of pixels');
  if (wrong)
    throw new Error(`--${wrong.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} is of models that classify clips`);
  const [file, more] = inputs;
  if (file === undefined || more !== undefined || file === '-')
    throw new Error(
      `segmentation: expected one picture, got ${more === undefined ? 'standard input' : `${inputs.length} inputs`}`,
    );
  for (const name of ['out', 'overlay'] as const)
    if (args[name] !== undefined && extname(args[name]).toLowerCase() !== '.png')
      throw new Error(`--${name} ${args[name]}: expected a name that ends in .png`);
  checkOutputs({ out: args.out, overlay: args.overlay });
  return file;
}

/** Writes the picture with the colours of its classes over it. */
async function writeOverlay(
  file: string,
  picture: string,
  { pixels, height, width }: Mask,
  classes: number,
): Promise<void> {
  const colours = classColours(classes);
  const seen = await readPicture({ path: picture }, [width, height]);
  const mixed = Uint8Array.from(seen, (value, i) => {
    const colour = colours[pixels[Math.floor(i / 3)]!]![i % 3]!;
    return Math.round((1 - COVER) * value + COVER * colour);
  });
  const png = await sharp(mixed, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  writeFileAtomic(file, (write) => write(png));
}

/** Runs `morphmlp predict` for a segmentation model: the share of each class, its mask and an overlay. */
export async function predictMask(
  inputs: readonly string[],
  checkpoint: string,
  args: PredictArguments,
): Promise<void> {
  setDefaultDevice(args.device);
  const file = check(inputs, args);
  const { network, input, classNames } = loadSegmenter(checkpoint);
  try {
    network.precision = args.precision;
    network.eval();
    const size = await pictureSize({ path: file });
    const [width, height] = scaleShortSide(size.width, size.height, input.testScale);
    const pixels = await readPicture({ path: file }, [width, height]);
    const mask = await segmentPicture(
      network,
      { pixels, height, width },
      input.normalisation,
      size,
      segmentOptionsOf(args),
    );
    const { out, overlay } = args;
    if (out !== undefined) writeFileAtomic(out, (write) => write(encodeMask(mask, classColours(classNames.length))));
    if (overlay !== undefined) await writeOverlay(overlay, file, mask, classNames.length);
    show(file, mask, classNames, args);
  } finally {
    network.dispose();
  }
}

function show(
  file: string,
  { pixels, height, width }: Mask,
  names: readonly string[],
  { json, out, overlay }: PredictArguments,
): void {
  const counts = new Float64Array(names.length);
  for (const label of pixels) counts[label]! += 1;
  const classes = names
    .map((name, index) => ({ name, index, share: counts[index]! / pixels.length }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  if (json) return console.log(JSON.stringify({ file, height, width, classes }));
  console.log(`${printable(file)}  ${width}x${height}`);
  for (const { name, share } of classes) console.log(`  ${percent(share).padStart(7)}  ${printable(name)}`);
  if (out !== undefined) console.log(`mask        ${out}`);
  if (overlay !== undefined) console.log(`overlay     ${overlay}`);
}
