import sharp from 'sharp';
import type { Clip } from '../../data/types';

const SIDE = 112;

/** The frames of a clip as small pictures for a page: data URLs, in order. */
export async function frameImages({ pixels, frames, height, width }: Clip): Promise<string[]> {
  const [size, raw] = [height * width * 3, { width, height, channels: 3 } as const];
  const kernel = height < SIDE ? 'nearest' : 'lanczos3';
  const all = Array.from({ length: frames }, async (_, i) => {
    const frame = sharp(pixels.subarray(i * size, (i + 1) * size), { raw });
    const picture = await frame.resize(SIDE, SIDE, { fit: 'fill', kernel }).webp({ quality: 80 }).toBuffer();
    return `data:image/webp;base64,${picture.toString('base64')}`;
  });
  return Promise.all(all);
}
