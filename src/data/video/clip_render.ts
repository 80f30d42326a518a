/** Renders clips from decoded frames according to their plans. */
import { Philox } from '../../core/philox';
import { applyAugment, erase, resizeCrop, scaleAndCrop, type ClipSize } from '../augment';
import type { ClipPlan } from './clip_plan';
import type { Box } from '../sampling';
import type { Frames } from './decode';

/** Copies a box of every frame, optionally mirrored: u8 [count, box.height, box.width, 3]. */
export function cropFrames(frames: Frames, box: Box, flip: boolean): Uint8Array {
  const count = frames.pixels.length / (frames.width * frames.height * 3);
  const cropped = new Uint8Array(count * box.width * box.height * 3);
  const row = box.width * 3;
  for (let t = 0, to = 0; t < count; t++) {
    for (let y = box.y; y < box.y + box.height; y++, to += row) {
      const from = ((t * frames.height + y) * frames.width + box.x) * 3;
      cropped.set(frames.pixels.subarray(from, from + row), to);
    }
  }
  if (flip) mirrorRows(cropped, box.width);
  return cropped;
}

/** Reverses the pixels of every row, in place. */
function mirrorRows(pixels: Uint8Array, width: number): void {
  for (let start = 0; start < pixels.length; start += width * 3) {
    for (let left = start, right = start + (width - 1) * 3; left < right; left += 3, right -= 3) {
      for (let c = 0; c < 3; c++) {
        const kept = pixels[left + c]!;
        pixels[left + c] = pixels[right + c]!;
        pixels[right + c] = kept;
      }
    }
  }
}

/** Whether two sizes are equal. */
const isSize = ({ width, height }: Frames, size: readonly [number, number]): boolean =>
  width === size[0] && height === size[1];

const clipSize = (plan: ClipPlan, { width, height }: Frames): ClipSize => ({
  frames: plan.frames.length,
  height,
  width,
});

/** Scales whole frames and applies the augmentation of whole frames. */
function changeFrames(frames: Frames, plan: ClipPlan): Frames {
  const [width, height] = plan.size;
  const pixels = isSize(frames, plan.size)
    ? frames.pixels
    : scaleAndCrop(frames.pixels, clipSize(plan, frames), plan.size, { x: 0, y: 0, width, height });
  const scaled = { pixels, width, height };
  return { ...scaled, pixels: applyAugment(pixels, clipSize(plan, scaled), plan.ops) };
}

function cutOut(frames: Frames, plan: ClipPlan): Uint8Array {
  const { box, side, flip } = plan;
  const plain = box.width === side && box.height === side;
  if (plain && isSize(frames, plan.size)) return cropFrames(frames, box, flip);
  const whole = clipSize(plan, frames);
  const cut = plain
    ? scaleAndCrop(frames.pixels, whole, plan.size, box)
    : resizeCrop(frames.pixels, whole, box, side, side);
  if (flip) mirrorRows(cut, side);
  return cut;
}

/** Renders a plan: scales, augments, crops, mirrors and erases. Returns u8 [frames, side, side, 3]; may modify `frames`. */
export function renderClip(frames: Frames, plan: ClipPlan): Uint8Array {
  const { side } = plan;
  const square = { frames: plan.frames.length, height: side, width: side };
  const seen = plan.on === 'frame' && plan.ops.length > 0 ? changeFrames(frames, plan) : frames;
  const cut = cutOut(seen, plan);
  const changed = plan.on === 'crop' ? applyAugment(cut, square, plan.ops) : cut;
  return plan.noise ? erase(changed, square, plan.erased, Philox.restore(plan.noise)) : changed;
}
