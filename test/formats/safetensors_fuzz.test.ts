import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elementCount } from '../../src/formats/dtypes';
import { readSafetensors } from '../../src/formats/safetensors';
import { Dice, mutate } from './fuzz';

const folder = mkdtempSync(join(tmpdir(), 'safetensors-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('1,000 mutated safetensors files: a result or one sentence', () => {
  const good = readFileSync(join(__dirname, '..', 'fixtures', 'safetensors', 'mixed.safetensors'));
  const path = join(folder, 'fuzz.safetensors');
  let loaded = 0;
  for (let index = 0; index < 1_000; index++) {
    writeFileSync(path, mutate(good, new Dice(`safetensors/${index}`)));
    try {
      for (const { shape, data } of readSafetensors(path).tensors.values())
        expect(data.length).toBe(elementCount(shape));
      loaded++;
    } catch (error) {
      const { message, constructor } = error as Error;
      if (constructor !== Error || !message.startsWith(`${path}: `)) throw error;
    }
  }
  expect(loaded).toBeGreaterThan(10);
  expect(loaded).toBeLessThan(950);
});
