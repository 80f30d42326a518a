import type { DecodeRequest, VideoInfo } from './ffmpeg';

/** What to take out of a video, before its size and length are known: positions are fractions, drawn by the caller. */
export interface ClipSpec {
  path: string;
  /** Frames of the clip, and the wished distance between them. */
  frames: number;
  rate: number;
  /** Side of the square that is kept. */
  crop: number;
  /** The short side is scaled to crop · this. */
  scale: number;
  /** Where in time, across and down the clip lies, in [0, 1]. */
  at: { time: number; x: number; y: number };
  flip: boolean;
}

/** The frames and pixels of a spec in a video. Short videos are sampled more densely, then their last frame is repeated. */
export function clipRequest(spec: ClipSpec, info: VideoInfo): DecodeRequest {
  const step = Math.max(1, Math.min(spec.rate, Math.floor(info.frames / spec.frames)));
  const room = Math.max(0, info.frames - ((spec.frames - 1) * step + 1));
  const short = Math.max(spec.crop, Math.round(spec.crop * spec.scale));
  const factor = short / Math.min(info.width, info.height);
  const scaled = [info.width, info.height].map((side) => Math.max(spec.crop, Math.round(side * factor))) as [
    number,
    number,
  ];
  const place = (fraction: number, side: number) => Math.floor(fraction * (side - spec.crop) + 0.5);
  return {
    path: spec.path,
    start: Math.round(spec.at.time * room),
    step,
    frames: spec.frames,
    scaled,
    crop: { x: place(spec.at.x, scaled[0]), y: place(spec.at.y, scaled[1]), size: spec.crop },
    flip: spec.flip,
  };
}
