import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { checkData } from '../../../src/data/check/check';
import { sameContent } from '../../../src/data/check/same_content';
import { readListing } from '../../../src/data/lists/listing';
import { runCli } from '../../support/run_cli';

const folder = mkdtempSync(path.join(tmpdir(), 'check-'));
const at = (name: string): string => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

async function picture(name: string, level: number, width = 40): Promise<void> {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  await sharp({ create: { width, height: 30, channels: 3, background: { r: level, g: 1, b: 2 } } })
    .png()
    .toFile(at(name));
}

beforeAll(async () => {
  for (let i = 0; i < 3; i++) await picture(`train/cat/${i}.png`, i);
  for (let i = 0; i < 2; i++) await picture(`train/dog/${i}.png`, 100 + i, 50);
  writeFileSync(at('train/dog/broken.png'), 'no picture');
  await picture('val/cat/x.png', 50);
  await picture('val/dog/y.png', 150);
  copyFileSync(at('train/cat/1.png'), at('val/cat/copy.png'));
  await picture('clean/cat/1.png', 1);
  await picture('clean/dog/1.png', 2);
});

const options = { span: () => 1, workers: 2 };

test('files are counted, measured and compared by content', async () => {
  const train = readListing(at('train'), { pictures: true });
  const val = readListing(at('val'), { pictures: true, known: train.classNames });
  const found = await checkData([train, val], options);
  expect(found.errors).toEqual([]);
  expect(found.shared).toEqual([[at('train/cat/1.png'), at('val/cat/copy.png')]]);
  const [list] = found.lists;
  expect(list).toMatchObject({
    classes: [
      { name: 'cat', files: 3 },
      { name: 'dog', files: 3 },
    ],
    sizes: [
      { value: '40x30', files: 3 },
      { value: '50x30', files: 2 },
    ],
    frames: { least: 1, median: 1, most: 1 },
    equal: [],
    short: 0,
  });
  expect(list!.unreadable).toEqual([expect.stringMatching(/broken.png: it is not a picture/)]);
});

test('the same content under two classes is an error, also across the lists', async () => {
  copyFileSync(at('train/cat/2.png'), at('val/dog/other.png'));
  const train = readListing(at('train'), { pictures: true });
  const { errors } = await checkData([train, readListing(at('val'), { pictures: true })], options);
  expect(errors).toEqual([
    `${at('train/cat/2.png')} and ${at('val/dog/other.png')} have the same content, and are of class cat and dog`,
  ]);
  rmSync(at('val/dog/other.png'));
});

test('files of equal size with different contents are not duplicates', async () => {
  for (const [name, text] of [
    ['p', 'abc'],
    ['q', 'abd'],
    ['r', 'abc'],
  ] as const)
    writeFileSync(at(name), text);
  const sized = ['p', 'q', 'r'].map((name) => ({ item: { path: at(name), label: 0 }, bytes: 3 }));
  const groups = await sameContent(sized);
  expect(groups.map((group) => group.map(({ item }) => path.basename(item.path)))).toEqual([['p', 'r']]);
});

test('morphmlp data check: exit status, JSON with the frames of each view, control characters', () => {
  const model = ['--model', 'image-t'];
  expect(runCli(['data', 'check', at('clean'), ...model])).toMatchObject({
    status: 0,
    out: expect.stringMatching(/nothing to mend/) as string,
  });
  const both = runCli(['data', 'check', at('train'), '--val', at('val'), ...model]);
  expect(both.status).toBe(2);
  expect(both.err).toMatch(/1 files of validation have the content of a training file/);
  expect(both.err).toMatch(/1 files cannot be read/);
  const json = JSON.parse(runCli(['data', 'check', at('clean'), ...model, '--json']).out) as {
    lists: { files: { views: unknown }[] }[];
  };
  expect(json.lists[0]!.files[0]!.views).toEqual([[{ number: 0, timestamp: 0 }]]);
  writeFileSync(at('evil.csv'), `clean/cat/1.png,\x1b]0;title\x07red\nclean/dog/1.png,blue\x1b[2J\n`);
  const evil = runCli(['data', 'check', at('evil.csv'), ...model]);
  expect(evil.out).toContain('\\u001b]0;title\\u0007red');
  expect(evil.out + evil.err).not.toMatch(/[\x00-\x08\x0b-\x1f]/);
  const wrong = runCli(['data', 'check', at('clean'), '--val', at('evil.csv'), ...model]);
  expect(wrong).toMatchObject({
    status: 1,
    err: expect.stringContaining('unknown label "\\u001b]0;title\\u0007red": expected one of 2 classes') as string,
  });
});
