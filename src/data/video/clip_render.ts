/** Makes a clip of decoded frames as its plan says. */
import { Philox } from '../../core/philox';
import { applyAugment, erase, resizeCrop, type ClipSize } from '../augment';
import type { ClipPlan } from './clip_plan';
import type { Box } from '../sampling';
import type { Frames } from './decode';

/** Copies a box out of every frame, mirrored if wished: u8 [count, box.height, box.width, 3]. */
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

function cutOut(frames: Frames, whole: ClipSize, { box, side, flip }: ClipPlan): Uint8Array {
  if (box.width === side && box.height === side) return cropFrames(frames, box, flip);
  const cut = resizeCrop(frames.pixels, whole, box, side, side);
  if (flip) mirrorRows(cut, side);
  return cut;
}

/** Changes, cuts, mirrors and erases: u8 [frames, side, side, 3]. `frames` may be changed. */
export function renderClip(frames: Frames, plan: ClipPlan): Uint8Array {
  const { side } = plan;
  const whole = { frames: plan.frames.length, height: frames.height, width: frames.width };
  const square = { frames: plan.frames.length, height: side, width: side };
  const seen = plan.on === 'frame' ? applyAugment(frames.pixels, whole, plan.ops) : frames.pixels;
  const cut = cutOut({ ...frames, pixels: seen }, whole, plan);
  const changed = plan.on === 'crop' ? applyAugment(cut, square, plan.ops) : cut;
  return plan.noise ? erase(changed, square, plan.erased, Philox.restore(plan.noise)) : changed;
}
