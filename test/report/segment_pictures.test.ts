import sharp from 'sharp';
import { renderRunReport } from '../../src/report/run_report';
import { drawSample, withDrawing } from '../../src/report/segment_pictures';
import { segmentSample, segmentReport } from './segment_sample';

async function coloursOf(png: string): Promise<string[]> {
  const { data, info } = await sharp(Buffer.from(png, 'base64'))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return Array.from({ length: info.width * info.height }, (_, i) => data.subarray(3 * i, 3 * i + 3).join(','));
}

test.each([
  [3, 48, 64],
  [4, 33, 7],
  [5, 1, 1],
])(
  'sample %i of %i x %i: errors are where truth and prediction differ, unlabelled pixels are neither',
  async (seed, h, w) => {
    const sample = segmentSample(seed, { height: h, width: w });
    const drawn = await drawSample(sample);
    const [truth, predicted, errors] = await Promise.all([drawn.truth, drawn.predicted, drawn.errors].map(coloursOf));
    const wanted = [...sample.truth].map((label, i) =>
      label === 255 ? '236,236,236' : label === sample.predicted[i] ? '45,52,62' : '255,90,70',
    );
    expect(errors).toEqual(wanted);
    // The colours of the classes are Pascal VOC's.
    const voc = ['0,0,0', '128,0,0', '0,128,0', '128,128,0', '0,0,128'];
    expect(truth).toEqual([...sample.truth].map((c) => voc[c] ?? '236,236,236'));
    expect(predicted).toEqual([...sample.predicted].map((c) => voc[c]));
    const picture = await sharp(Buffer.from(drawn.picture, 'base64')).metadata();
    expect([picture.format, picture.height, picture.width]).toEqual(['jpeg', h, w]);
  },
);

test('a page shows every sample with a legend of its classes, drawn before or not, in few bytes', async () => {
  const report = segmentReport();
  const page = await renderRunReport(report);
  expect(page.match(/<figure class="panel segmented">/g)).toHaveLength(8);
  const legend = /<ul class="colours">(.*?)<\/ul>/s.exec(page)![1]!;
  expect(
    legend
      .replace(/<[^>]*>/g, ' ')
      .split(/\s{2,}/)
      .filter((name) => name.trim() !== ''),
  ).toEqual(['background', 'circle', 'square &lt;b&gt;', 'triangle', 'ring', 'unlabelled', 'right', 'wrong']);
  expect(page).not.toContain('square <b>');
  const images = page.match(/data:image\/(?:png|jpeg);base64,[^"]*/g)!;
  expect(images).toHaveLength(32);
  expect(images.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(2e6);
  const samples = await Promise.all(report.evaluation!.samples!.map(withDrawing));
  const stored = JSON.parse(JSON.stringify(samples)) as typeof samples;
  expect(await renderRunReport({ ...report, evaluation: { ...report.evaluation!, samples: stored } })).toBe(page);
});

test('bytes of another size, and classes without a name, are refused', async () => {
  const sample = segmentSample(1);
  await expect(drawSample({ ...sample, truth: new Uint8Array(3) })).rejects.toThrow(
    /expected 192 x 256 pixels and two masks, got 147456, 3 and 49152 bytes/,
  );
  const report = segmentReport();
  const wrong = { ...sample, predicted: sample.predicted.fill(9) };
  await expect(renderRunReport({ ...report, evaluation: { ...report.evaluation!, samples: [wrong] } })).rejects.toThrow(
    'report: class 9 of a mask is beyond the 5 classes',
  );
});
