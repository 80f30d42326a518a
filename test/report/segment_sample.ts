import type { ReportSample, RunReport } from '../../src/report/types';
import { noise, sampleReport } from './sample';

const NAMES = ['background', 'circle', 'square <b>', 'triangle', 'ring'];

/** A disc of a class on noise, whose prediction is moved; its rim is unlabelled. */
export function segmentSample(seed: number, { height = 192, width = 256, worst = false } = {}): ReportSample {
  const random = noise(seed);
  const [pixels, truth] = [new Uint8Array(height * width * 3), new Uint8Array(height * width)];
  const predicted = new Uint8Array(height * width);
  const radius = Math.min(height, width) * 0.3;
  for (let i = 0; i < height * width; i++) {
    const [y, x] = [Math.floor(i / width) - height / 2, (i % width) - width / 2];
    const distance = Math.hypot(x, y);
    truth[i] = Math.abs(distance - radius) < 2 ? 255 : distance < radius ? 1 + (seed % 4) : 0;
    predicted[i] = Math.hypot(x - 2 * seed, y) < radius ? 1 + (seed % 4) : 0;
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = (truth[i] ? 150 : 60) + 20 * c + 30 * random();
  }
  return {
    path: `pictures/validation/${seed}.jpg`,
    right: 0.5 + seed / 20,
    worst,
    height,
    width,
    pixels,
    truth,
    predicted,
  };
}

/** A plausible run of a segmentation. */
export function segmentReport(): RunReport {
  const report = sampleReport();
  const confusion = NAMES.map((_, c) => NAMES.map((__, d) => (c === d ? 9000 : 300 * ((c + d) % 3))));
  const samples = Array.from({ length: 8 }, (_, i) => segmentSample(i + 1, { worst: i < 4 }));
  const evaluation = { clips: 40, loss: 0.3, top1: 0.81, top5: 0.93, confusion, mistakes: [], samples };
  return { ...report, title: 'segment', classNames: NAMES, model: { ...report.model, task: 'segment' }, evaluation };
}
