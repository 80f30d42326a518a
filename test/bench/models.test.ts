import { CASES, parseCase } from '../../src/bench/models/case';
import { ServedModel } from '../../src/bench/models/served';
import { Peer } from '../../src/bench/models/peer';
import { memory, resetPeakMemory } from '../../src/core/runtime';
import { tinySubject } from '../support/tiny_subject';

const CPU = { device: 'cpu', precision: 'f32' } as const;
const tiny = (work: 'forward' | 'train', subject = tinySubject()) =>
  new ServedModel({ text: `tiny ${work} 2`, variant: 'tiny', work, batch: 2 }, CPU, subject, 32);

test('parses cases and refuses malformed ones with a clear message', () => {
  expect(parseCase(' image-t  train 8 ')).toEqual({
    text: 'image-t train 8',
    variant: 'image-t',
    work: 'train',
    batch: 8,
  });
  for (const text of [...CASES.cpu, ...CASES.cuda]) expect(parseCase(text).text).toBe(text);
  for (const text of ['', 'video-s forward 1', 'image-t sideways 1', 'image-t forward 0', 'image-t forward 1 1'])
    expect(() => parseCase(text)).toThrow(
      `expected 'VARIANT forward|train BATCH' with a variant of video-s-16, video-b-16, video-s-32, image-t, image-s, image-b, got '${text}'`,
    );
});

test.each(['forward', 'train'] as const)('a network is verified against float64, then timed: %s', (work) => {
  const { live } = memory();
  const served = tiny(work);
  expect(served.verify()).toBeLessThan(2e-6);
  const output = served.output();
  expect(output.length).toBe(2 * 8);
  expect(served.output()).toEqual(output); // running statistics and weights are unchanged
  expect(served.run()).toBeGreaterThan(0);
  if (work === 'train') expect(served.verify.bind(served)).toThrow(/^tiny train 2: logits differ from float64 by /);
  served.dispose();
  expect(memory().live).toBe(live);
});

test('a recomputed block keeps only its input until the backward', () => {
  const peaks = [0, 2].map((recompute) => {
    const what = { text: 'tiny train 2', variant: 'tiny', work: 'train', batch: 2 } as const;
    const served = new ServedModel(what, { ...CPU, recompute }, tinySubject(), 128);
    const { live } = memory();
    resetPeakMemory();
    served.run();
    const { peak } = memory();
    served.dispose();
    return peak - live;
  });
  expect(peaks[1]).toBeLessThan(0.9 * peaks[0]!);
  const tooMany = () =>
    new ServedModel(
      { text: 'tiny train 2', variant: 'tiny', work: 'train', batch: 2 },
      { ...CPU, recompute: 6 },
      tinySubject(),
      32,
    );
  expect(tooMany).toThrow('tiny train 2: expected to recompute at most 5 blocks, got 6');
});

test('a wrong network is not timed', () => {
  const { reference, ...subject } = tinySubject();
  const logits = reference.eval_logits.map((row) => row.map((v, i) => (i === 3 ? v * 1.0001 : v)));
  const served = tiny('forward', { ...subject, reference: { ...reference, eval_logits: logits } });
  expect(() => served.verify()).toThrow(/^tiny forward 2: logits differ from float64 by \d\.\de-\d, allowed 0.000002$/);
  served.dispose();
});

test('a peer that ends, fails to start or answers with an error is an error', async () => {
  const script = "process.stdin.once('data', () => { console.log(JSON.stringify({ error: 'no' })); process.exit(1); })";
  const peer = new Peer('it', process.execPath, ['-e', script]);
  await expect(peer.ask('setup x')).rejects.toThrow('it: no');
  await expect(peer.ask('setup x')).rejects.toThrow('it: its process ended');
  await expect(new Peer('that', '/no/such/program', []).ask('peak')).rejects.toThrow(/^that: .*ENOENT/);
});
