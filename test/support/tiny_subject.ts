import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Subject } from '../../src/bench/models/served';

const FILE = path.join(__dirname, '..', 'fixtures', 'reference', 'tiny.json');

/** The small image network of the reference data, as a subject of `bench models`. */
export function tinySubject(): Subject {
  const { tiny_image: reference } = JSON.parse(readFileSync(FILE, 'utf8')) as { tiny_image: Subject['reference'] };
  return {
    name: 'tiny_image',
    config: {
      ...{ kind: 'image', layers: [1, 1, 2, 1], embedDims: [16, 32, 32, 64], segmentDim: [8, 8, 16, 4] },
      ...{ frames: 1, mlpRatio: 3, qkvBias: true, dropPath: 0, numClasses: 8 },
    },
    reference,
  };
}
