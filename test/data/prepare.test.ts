import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { NORMALISATION } from '../../src/data/normalisation';
import { DecodePool } from '../../src/data/video/decode_pool';
import { readFrameList } from '../../src/data/lists/frame_list';
import type { Listing } from '../../src/data/lists/types';
import { readListing } from '../../src/data/lists/listing';
import { Loader } from '../../src/data/loader';
import { ENCODING, pack } from '../../src/data/prepare/pack';
import { prepare } from '../../src/data/prepare/prepare';
import { isPacked, readIndex, readShards, shardOrder } from '../../src/data/shards';
import { sourceOf } from '../../src/data/source';
import { writeVideo } from '../../src/data/video/encode';
import { VideoDataset } from '../../src/data/video/video_dataset';
import { Philox } from '../../src/core/philox';
import { readNumbers, TALL, writeNumbered } from './video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'prepare-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const options = { encoding: ENCODING, shardSize: 12_000, workers: 2, seed: 3 };

/** The files of a set by name. */
const contents = (set: string) =>
  Object.fromEntries(readdirSync(set).map((name) => [name, readFileSync(path.join(set, name))]));

function damage(file: string): void {
  const bytes = readFileSync(file);
  const box = bytes.indexOf('mdat') - 4; // the pictures: size and name of their box, then bytes
  const middle = box + Math.floor(bytes.readUInt32BE(box) / 3);
  bytes.fill(0x5a, middle, middle + 300);
  writeFileSync(file, bytes);
}

describe('prepared videos', () => {
  let listing: Listing;
  beforeAll(async () => {
    mkdirSync(at('videos'));
    for (let i = 0; i < 6; i++) await writeNumbered(at('videos', `${i}.mp4`), 40 + i);
    writeFileSync(at('videos', 'cut.mp4'), readFileSync(at('videos', '0.mp4')).subarray(0, 900));
    await writeNumbered(at('videos', 'hurt.mp4'), 60);
    damage(at('videos', 'hurt.mp4'));
    const names = ['0.mp4', '1.mp4', '2.mp4', '3.mp4', '4.mp4', '5.mp4', 'cut.mp4', 'hurt.mp4', 'absent.mp4'];
    writeFileSync(at('videos', 'list.csv'), names.map((name, i) => `${name},${i % 2 ? 'odd' : 'even'}\n`).join(''));
    listing = readListing(at('videos', 'list.csv'));
    await prepare(listing, at('whole'), options);
  });

  test('hold the frames of the files; what cannot be decoded to its end is named', async () => {
    const shards = readShards(at('whole'));
    expect(shards).toMatchObject({ classNames: ['even', 'odd'], unreadable: 2, missing: [at('videos', 'absent.mp4')] });
    expect(readIndex(at('whole')).entries.filter((entry) => !isPacked(entry))).toEqual(
      expect.arrayContaining([
        { path: 'cut.mp4', label: 0, failed: expect.stringMatching(/cut.mp4: it is empty, cut short/) as string },
        { path: 'hurt.mp4', label: 1, failed: expect.stringMatching(/hurt.mp4: a part of it is damaged/) as string },
      ]),
    );
    const pool = new DecodePool(1);
    const clips = { frames: 40, rate: 1, crop: TALL, train: false, flip: false };
    const set = new VideoDataset(shards, clips, pool);
    expect(set.describe()).toMatchObject({ clips: 6, missing: 1, 'unreadable when prepared': 2 });
    for (let i = 0; i < set.length; i++) {
      const clip = await set.clip(i, new Philox(0));
      const number = Number(path.basename(clip.path, '.mp4'));
      expect(clip.label).toBe(number % 2);
      const shown = readNumbers(clip.pixels, TALL, TALL).map((n) => n & 0b01110); // the crop shows the inner columns
      const first = Math.floor(number / 2);
      expect(shown).toEqual(Array.from({ length: 40 }, (_, t) => (first + t) & 0b01110));
    }
    await pool.close();
  });

  test('a run that is killed anywhere continues to the same bytes', async () => {
    const whole = contents(at('whole'));
    for (const [set, harm] of Object.entries({
      line: (set: string) => truncateSync(path.join(set, 'index.jsonl'), 1000), // in the middle of a line
      extra: (set: string) => {
        const lines = readFileSync(path.join(set, 'index.jsonl'), 'utf8').split('\n');
        writeFileSync(path.join(set, 'index.jsonl'), `${lines.slice(0, 4).join('\n')}\n`); // bytes that no line names
      },
      lost: (set: string) => {
        const last = readdirSync(set)
          .filter((name) => name.startsWith('shard'))
          .sort()
          .at(-1)!;
        truncateSync(path.join(set, last), 100); // a line whose bytes a power cut took
      },
      zeros: (set: string) => {
        const last = readdirSync(set)
          .filter((name) => name.startsWith('shard'))
          .sort()
          .at(-1)!;
        writeFileSync(path.join(set, last), Buffer.alloc(readFileSync(path.join(set, last)).length));
      },
    })) {
      mkdirSync(at(set));
      for (const [name, bytes] of Object.entries(whole)) writeFileSync(at(set, name), bytes);
      harm(at(set));
      const { clips, before } = await prepare(listing, at(set), options);
      expect([set, clips, before < 6]).toEqual([set, 6, true]);
      expect(contents(at(set))).toEqual(whole);
    }
  });

  test('a video gives the same bytes whatever was encoded before it', async () => {
    const { encoding } = options;
    const source = sourceOf(at('videos', '5.mp4'));
    const made = new Set<string>();
    const random = new Philox(4);
    for (let i = 0; i < 60; i++) {
      const [height, width] = [16 + 2 * random.int(60), 16 + 2 * random.int(60)];
      const pixels = random.bytes(12 * height * width * 3);
      await writeVideo({ pixels, frames: 12, height, width }, at('noise.mp4')); // leaves traces in the memory of the encoder
      made.add(Buffer.from((await pack(source, encoding)).bytes).toString('base64'));
    }
    expect(made.size).toBe(1);
  });

  test('an unfinished set is not trained on, other settings do not go on with it, two runs do not share it', async () => {
    mkdirSync(at('part'));
    const [header, first] = readFileSync(at('whole', 'index.jsonl'), 'utf8').split('\n');
    writeFileSync(at('part', 'index.jsonl'), `${header}\n${first}\n`);
    expect(() => readShards(at('part'))).toThrow(/only 1 of 8 clips are prepared; run the same morphmlp prepare again/);
    const other = { ...options, encoding: { ...ENCODING, crf: 30 } };
    await expect(prepare(listing, at('part'), other)).rejects.toThrow(/was started with another crf; repeat it/);
    writeFileSync(at('part', '.lock'), String(process.ppid));
    await expect(prepare(listing, at('part'), options)).rejects.toThrow(/is preparing clips there already/);
  });

  test('an aborted run keeps its finished clips', async () => {
    const stop = new AbortController();
    const onFile = (done: number) => done === 3 && stop.abort(new Error('enough'));
    await expect(prepare(listing, at('aborted'), { ...options, onFile, signal: stop.signal })).rejects.toThrow(
      'enough',
    );
    expect(readIndex(at('aborted')).entries).toHaveLength(3);
    expect(await prepare(listing, at('aborted'), options)).toMatchObject({ clips: 6 });
    expect(contents(at('aborted'))).toEqual(contents(at('whole')));
  });

  test('classes are those that are known, by name', () => {
    const numbers = (known?: string[]) =>
      readShards(at('whole'), known ? { known } : {}).items.map(({ label }) => label);
    expect(numbers(['odd', 'other', 'even'])).toEqual(numbers().map((label) => (label === 1 ? 0 : 2)));
    expect(() => numbers(['odd'])).toThrow(/unknown class "even" of .*: expected one of 1 classes \(odd\)/);
    expect(() => readShards(at('whole'), { classes: 3 })).toThrow(/2 classes, but the head is to have 3/);
    appendFileSync(at('part', 'index.jsonl'), 'no json\n');
    expect(() => readShards(at('part'))).toThrow(/index.jsonl:3: expected a line of JSON, got "no json"/);
  });

  test('folders of frames become videos; one that lacks a frame is named', async () => {
    for (const [name, numbers] of [
      ['good', [1, 2, 3, 4]],
      ['gap', [1, 2, 4]],
    ] as const) {
      mkdirSync(at(name));
      const picture = sharp({ create: { width: 64, height: 48, channels: 3, background: '#285' } });
      for (const n of numbers)
        await picture
          .clone()
          .jpeg()
          .toFile(at(name, `00${n}.jpg`));
    }
    writeFileSync(at('frames.txt'), 'good 4 0\ngap 4 1\n');
    const list = readFrameList(at('frames.txt'), '{:03d}.jpg');
    const { failed } = await prepare(list, at('packed frames'), options);
    expect(failed).toEqual([
      { path: 'gap', reason: expect.stringMatching(/003.jpg is missing, frame 3 of 4/) as string },
    ]);
    expect(readShards(at('packed frames'), { known: ['0', '1'] }).items[0]!.info).toMatchObject({
      frames: 4,
      width: 64,
    });
  });
});

test('pictures are packed upright and at most as large as asked for', async () => {
  for (const name of ['red', 'blue']) {
    mkdirSync(at('images', name), { recursive: true });
    const picture = sharp({ create: { width: 90, height: 60, channels: 3, background: name } });
    await picture
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toFile(at('images', name, 'a.jpg'));
  }
  writeFileSync(at('images', 'blue', 'bad.png'), 'no picture');
  const listing = readListing(at('images'), { pictures: true });
  const result = await prepare(listing, at('packed images'), { ...options, encoding: { ...ENCODING, shortSide: 30 } });
  expect(result).toMatchObject({
    clips: 2,
    failed: [{ reason: expect.stringMatching(/it is not a picture/) as string }],
  });
  const shards = readShards(at('packed images'));
  expect(shards.items.map(({ info }) => [info!.width, info!.height])).toEqual([
    [30, 45],
    [30, 45],
  ]);
  const pool = new DecodePool(1);
  const set = new VideoDataset(shards, { frames: 1, rate: 1, crop: 32, train: false, flip: false }, pool);
  for (let i = 0; i < 2; i++) {
    const { pixels, label } = await set.clip(i, new Philox(0));
    expect(pixels[label === 1 ? 0 : 2]).toBeGreaterThan(240); // blue is class 0, red class 1
    expect(pixels[label === 1 ? 2 : 0]).toBeLessThan(15);
  }
  await pool.close();
});

describe('the order of prepared clips', () => {
  const blocks = Array.from({ length: 101 }, (_, b) => b * 32);

  test('has every clip once, differs between epochs, and stays in 16 blocks at a time', () => {
    const [a, b] = [1, 2].map((epoch) => shardOrder(blocks, new Philox(5).fork(epoch)));
    expect([...a!].sort((x, y) => x - y)).toEqual(Array.from({ length: 3200 }, (_, i) => i));
    expect(a).not.toEqual(b);
    const last = new Map([...a!].map((clip, at) => [clip >> 5, at]));
    const seen = new Set<number>();
    a!.forEach((clip, at) => {
      seen.add(clip >> 5);
      expect([...seen].filter((block) => last.get(block)! >= at).length).toBeLessThanOrEqual(16);
    });
  });

  test('is the order of a shuffling loader, and of no other', () => {
    const dataset = { length: 64, classNames: ['a'], order: (random: Philox) => shardOrder([0, 32, 64], random) };
    const loader = (shuffle: boolean) =>
      new Loader(dataset as never, { batchSize: 4, seed: 1, shuffle, normalisation: NORMALISATION }).order(0);
    expect([...loader(false)]).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(loader(true)).toEqual(shardOrder([0, 32, 64], new Philox(1).fork('order').fork(0)));
  });
});
