import { Loader, type LoaderOptions } from '../../src/data/loader';
import { NORMALISATION } from '../../src/data/normalisation';
import { UnreadableClip, type Clip, type Dataset } from '../../src/data/types';
import type { Philox } from '../../src/core/philox';

/** One-pixel clips whose value is a random number of their own generator. */
class FakeDataset implements Dataset {
  readonly classNames = ['a', 'b'];
  readonly asked: number[] = [];
  underWay = 0;
  aborted = 0;

  constructor(
    readonly length: number,
    private readonly behaviour: (i: number, signal?: AbortSignal) => unknown = () => undefined,
  ) {}

  name = (i: number): string => `clip ${i}`;
  label = (i: number): number => i % 2;
  describe = (): Record<string, string> => ({ source: 'fake' });

  async clip(i: number, random: Philox, signal?: AbortSignal): Promise<Clip> {
    this.asked.push(i);
    this.underWay++;
    try {
      await this.behaviour(i, signal);
      signal?.throwIfAborted();
    } catch (error) {
      if (signal?.aborted) this.aborted++;
      throw error;
    } finally {
      this.underWay--;
    }
    const pixels = Uint8Array.of(random.int(256), i >> 8, i & 255);
    return { pixels, frames: 1, height: 1, width: 1, label: this.label(i), path: this.name(i) };
  }
}

const options = (more: Partial<LoaderOptions> = {}): LoaderOptions => ({
  normalisation: NORMALISATION,
  batchSize: 4,
  seed: 1,
  shuffle: true,
  ...more,
});

/** The bytes of each batch of an epoch, by batch number. */
async function bytes(loader: Loader, epoch: number, first = 0): Promise<Record<number, number[]>> {
  const found: Record<number, number[]> = {};
  for await (const { index, clips } of loader.clips(epoch, first)) found[index] = clips.flatMap((c) => [...c.pixels]);
  return found;
}

const randomDelay = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 5));

describe('Loader', () => {
  test('parts of an epoch have the batches of the whole, each once, and read no others', async () => {
    const whole = await bytes(new Loader(new FakeDataset(50), options()), 2, 4);
    const parts = [
      { of: 4, first: 0, count: 1 },
      { of: 4, first: 1, count: 2 },
      { of: 4, first: 3, count: 1 },
    ];
    const read = parts.map(async (part) => {
      const data = new FakeDataset(50);
      const found = await bytes(new Loader(data, options({ part })), 2, 4);
      expect(data.asked).toHaveLength(Object.values(found).flat().length / 3);
      expect(
        Object.keys(found).every((k) => Number(k) % 4 >= part.first && Number(k) % 4 < part.first + part.count),
      ).toBe(true);
      return found;
    });
    expect(Object.assign({}, ...(await Promise.all(read)))).toEqual(whole);
    expect(Object.keys(whole)).toHaveLength(9);
  });

  test('an epoch has every clip once, in a different order than others', async () => {
    const loader = new Loader(new FakeDataset(10), options());
    const [first, second] = [loader.order(0), loader.order(1)];
    expect([...first].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([...first]).not.toEqual([...second]);
    expect(Object.values(await bytes(loader, 0)).map((b) => b.length / 3)).toEqual([4, 4, 2]);
    const plain = new Loader(new FakeDataset(6), options({ shuffle: false }));
    expect([...plain.order(3)]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('batch k of epoch e depends on the seed, e and k alone', async () => {
    const whole = await bytes(new Loader(new FakeDataset(30), options()), 2);
    const slow = new Loader(new FakeDataset(30, randomDelay), options({ prefetch: 5 }));
    await bytes(slow, 0);
    expect(await bytes(slow, 2)).toEqual(whole);
    const resumed = await bytes(new Loader(new FakeDataset(30), options({ prefetch: 0 })), 2, 5);
    expect(resumed).toEqual({ 5: whole[5], 6: whole[6], 7: whole[7] });
    expect(await bytes(new Loader(new FakeDataset(30), options({ seed: 2 })), 2)).not.toEqual(whole);
    expect(await bytes(new Loader(new FakeDataset(30), options()), 3)).not.toEqual(whole);
  });

  test('dropLast leaves out a batch that is not full', async () => {
    const loader = new Loader(new FakeDataset(10), options({ dropLast: true }));
    expect(loader.batches).toBe(2);
    expect(Object.keys(await bytes(loader, 0))).toEqual(['0', '1']);
  });

  test('epoch yields the same clips, with their normalisation', async () => {
    const loader = new Loader(new FakeDataset(8), options());
    const raw = await bytes(loader, 0);
    for await (const { index, batch } of loader.epoch(0)) {
      expect([batch.shape, batch.normalisation, batch.mix]).toEqual([[4, 1, 1, 1, 3], NORMALISATION, null]);
      expect([...batch.pixels]).toEqual(raw[index]);
    }
  });

  test('at most prefetch batches are read ahead', async () => {
    const dataset = new FakeDataset(40);
    const loader = new Loader(dataset, options({ prefetch: 2 }));
    const most: number[] = [];
    for await (const { index } of loader.clips(0)) {
      await new Promise((resolve) => setImmediate(resolve));
      most.push(dataset.asked.length - (index + 1) * 4);
    }
    expect(Math.max(...most)).toBe(8);
  });

  test('unreadable files do not change other batches, and are listed once', async () => {
    const whole = await bytes(new Loader(new FakeDataset(12), options()), 0);
    const bad = (i: number): void => {
      if (i === 3 || i === 7) throw new UnreadableClip(`clip ${i}: it is not a video`);
    };
    const loader = new Loader(new FakeDataset(12, bad), options());
    const some = await bytes(loader, 0);
    await bytes(loader, 1);
    const readable = (all: number[]): number[] =>
      Array.from({ length: all.length / 3 }, (_, k) => all.slice(3 * k, 3 * k + 3))
        .filter(([, , i]) => i !== 3 && i !== 7)
        .flat();
    expect(some).toEqual(Object.fromEntries(Object.entries(whole).map(([k, all]) => [k, readable(all)])));
    expect(loader.skipped.size).toBe(2);
    expect(loader.skippedLines(1)).toEqual([
      '2 files were skipped:',
      expect.stringMatching(/clip [37]: it/),
      '  … and 1 more',
    ]);
  });

  test('an epoch with nothing readable is an error, a batch with nothing readable is left out', async () => {
    const none = new Loader(
      new FakeDataset(6, (i) => Promise.reject(new UnreadableClip(`clip ${i}: broken`))),
      options({ shuffle: false }),
    );
    await expect(bytes(none, 0)).rejects.toThrow('none of the 6 clips could be read; the first: clip 0: broken');
    const half = new Loader(
      new FakeDataset(8, (i) => (i < 4 ? Promise.reject(new UnreadableClip('x')) : undefined)),
      options({ shuffle: false }),
    );
    expect(Object.keys(await bytes(half, 0))).toEqual(['1']);
  });

  test('any other error ends the epoch, after pending reads have settled', async () => {
    const dataset = new FakeDataset(40, async (i) => {
      await randomDelay();
      if (i === 9) throw new TypeError('a mistake');
    });
    await expect(bytes(new Loader(dataset, options({ shuffle: false })), 0)).rejects.toThrow('a mistake');
    expect(dataset.underWay).toBe(0);
    expect(dataset.asked.length).toBeLessThan(40);
  });

  test('leaving the loop early aborts prefetching', async () => {
    const endless = (i: number, signal?: AbortSignal): unknown =>
      i < 4
        ? undefined
        : new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    const dataset = new FakeDataset(40, endless);
    for await (const { index } of new Loader(dataset, options({ shuffle: false })).clips(0)) if (index === 0) break;
    expect([dataset.underWay, dataset.aborted]).toEqual([0, 8]);
  });

  test('a signal ends an epoch with its reason', async () => {
    const stop = new AbortController();
    const endless = (_: number, signal?: AbortSignal): unknown =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    const loader = new Loader(new FakeDataset(8, endless), options({ signal: stop.signal }));
    const run = bytes(loader, 0);
    setTimeout(() => stop.abort(new Error('stopped by hand')), 10);
    await expect(run).rejects.toThrow('stopped by hand');
    await expect(bytes(loader, 1)).rejects.toThrow('stopped by hand');
    expect(loader.skipped.size).toBe(0);
  });

  test.each([
    [{ batchSize: 0 }, 'batch size: expected a whole number of at least 1, got 0'],
    [{ prefetch: -1 }, 'prefetch: expected a whole number of at least 0, got -1'],
    [{ batchSize: 7, dropLast: true }, '6 clips are not enough for one batch of 7'],
  ])('%p is refused', (more, message) => {
    expect(() => new Loader(new FakeDataset(6), options(more))).toThrow(message);
  });

  test('an epoch or a first batch that is no whole number is refused', async () => {
    const loader = new Loader(new FakeDataset(6), options());
    await expect(bytes(loader, 0.5)).rejects.toThrow('epoch: expected a whole number');
    await expect(bytes(loader, 0, -1)).rejects.toThrow('first batch: expected a whole number of at least 0, got -1');
  });
});
