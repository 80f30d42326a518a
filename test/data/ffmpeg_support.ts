import { spawnSync } from 'node:child_process';
import { writeVideo } from '../../src/data/video/encode';

const found = ['ffmpeg', 'ffprobe'].every((program) => spawnSync(program, ['-version']).status === 0);

/**
 * `describe` for what needs FFmpeg. Where it is absent, CI fails, and elsewhere the suite is left out with a line on the
 * console that says so.
 */
export function describeWithFfmpeg(name: string, body: () => void): void {
  if (found) return void describe(name, body);
  if (process.env.CI) return void test(`${name}: FFmpeg`, () => expect('FFmpeg on the PATH').toBe('there'));
  console.warn(`NOT RUN: ${name}: FFmpeg is not on the PATH`);
  describe.skip(name, body);
}

/** Runs FFmpeg to make a test file. */
export function makeWith(...args: string[]): void {
  const run = spawnSync('ffmpeg', ['-v', 'error', '-y', '-nostdin', ...args]);
  if (run.status !== 0) throw new Error(`ffmpeg ${args.join(' ')}: ${run.stderr.toString()}`);
}

/** Height and width of the numbered videos. */
export const TALL = 48;
export const WIDE = 80;

/** A picture that carries `n` as ten black or white blocks in two rows of five. */
function numberedFrame(n: number): Uint8Array {
  const pixels = new Uint8Array(TALL * WIDE * 3);
  for (let y = 0; y < TALL; y++) {
    for (let x = 0; x < WIDE; x++) {
      const bit = Math.floor(y / 24) * 5 + Math.floor(x / 16);
      pixels.fill((n >> bit) & 1 ? 235 : 20, (y * WIDE + x) * 3, (y * WIDE + x) * 3 + 3);
    }
  }
  return pixels;
}

/** Writes a video of `count` frames of which each shows its number. */
export async function writeNumbered(file: string, count: number, fps = 30): Promise<void> {
  const pixels = new Uint8Array(count * TALL * WIDE * 3);
  for (let n = 0; n < count; n++) pixels.set(numberedFrame(n), n * TALL * WIDE * 3);
  await writeVideo({ pixels, frames: count, height: TALL, width: WIDE }, file, fps);
}

/** The numbers that the frames [count, height, width, 3] show. */
export function readNumbers(pixels: Uint8Array, height: number, width: number): number[] {
  const bytes = height * width * 3;
  return Array.from({ length: pixels.length / bytes }, (_, t) => {
    let n = 0;
    for (let bit = 0; bit < 10; bit++) {
      const y = Math.floor(((Math.floor(bit / 5) + 0.5) * height) / 2);
      const x = Math.floor((((bit % 5) + 0.5) * width) / 5);
      if (pixels[t * bytes + (y * width + x) * 3]! > 128) n |= 1 << bit;
    }
    return n;
  });
}
