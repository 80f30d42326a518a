/** Frames one after the other: u8 [frames, height, width, 3]. */
export interface ClipSize {
  frames: number;
  height: number;
  width: number;
}

/** Calls `body` with the pixels of each frame in turn. */
export function forEachFrame(pixels: Uint8Array, size: ClipSize, body: (frame: Uint8Array) => void): void {
  const bytes = size.height * size.width * 3;
  for (let t = 0; t < size.frames; t++) body(pixels.subarray(t * bytes, (t + 1) * bytes));
}
