import { digestError } from '../../src/formats/reference';
import { allowed, read, run } from './module_cases';

describe('modules_full.json: the real stage sizes, by digests', () => {
  test.each(read('modules_full.json'))('%s', (name, c) => {
    const found = run(name, c);
    for (const [key, digest] of Object.entries(c.digest!)) {
      const { norm, proj, samples } = digestError(found.get(key) ?? new Float32Array(), digest, `${name}/${key}`);
      const error = Math.max(norm, proj, samples);
      expect({ key, ok: error <= allowed(key), error }).toMatchObject({ key, ok: true });
    }
  });
});
