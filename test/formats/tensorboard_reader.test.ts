import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import protobuf from 'protobufjs';
import sharp from 'sharp';
import { RecordReader } from 'tfrecord';
import { TensorBoardWriter } from '../../src/formats/tensorboard';

const folder = mkdtempSync(path.join(tmpdir(), 'events-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** TensorFlow's event.proto and summary.proto, as far as a run writes them. */
const SCHEMA = `
  syntax = "proto3";
  message HistogramProto {
    double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
    repeated double bucket_limit = 6; repeated double bucket = 7;
  }
  message Image { int32 height = 1; int32 width = 2; int32 colorspace = 3; bytes encoded_image_string = 4; }
  message Value {
    string tag = 1;
    oneof value { float simple_value = 2; Image image = 4; HistogramProto histo = 5; }
  }
  message Summary { repeated Value value = 1; }
  message Event {
    double wall_time = 1; int64 step = 2;
    oneof what { string file_version = 3; Summary summary = 5; }
  }`;

const Event = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Event');

/** Every event of a file, read by programs that share nothing with the writer. They check the checksums. */
async function readElsewhere(file: string): Promise<Record<string, unknown>[]> {
  const reader = await RecordReader.create(file);
  const events: Record<string, unknown>[] = [];
  for (let record = await reader.readRecord(); record !== null; record = await reader.readRecord())
    events.push(Event.toObject(Event.decode(record.slice()), { longs: Number, bytes: Array }));
  return events;
}

test('independent TFRecord and protobuf readers read the written events', async () => {
  const png = await sharp({ create: { width: 5, height: 3, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const writer = new TensorBoardWriter(folder, () => 1_700_000_000_500);
  writer.scalar('train/loss', 0.5, 10);
  writer.image('clips', png, 11);
  writer.histogram('weights', [1, 2, 3, 3], 12);
  writer.close();
  const wall_time = 1_700_000_000.5;
  const summary = (value: object) => ({ value: [value] });
  const image = { height: 3, width: 5, colorspace: 3, encoded_image_string: [...png] };
  expect(await readElsewhere(writer.path)).toEqual([
    { wall_time, step: 0, file_version: 'brain.Event:2' },
    { wall_time, step: 10, summary: summary({ tag: 'train/loss', simple_value: 0.5 }) },
    { wall_time, step: 11, summary: summary({ tag: 'clips', image }) },
    {
      wall_time,
      step: 12,
      summary: summary({
        tag: 'weights',
        histo: expect.objectContaining({ min: 1, max: 3, num: 4, sum: 9, sum_squares: 23 }) as object,
      }),
    },
  ]);
});
