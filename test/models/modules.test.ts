import { relativeError } from '../../src/formats/reference';
import { toFloat32 } from '../../src/formats/dtypes';
import { readSafetensors } from '../../src/formats/safetensors';
import { allowed, fixture, read, run, zero } from './module_cases';

describe('modules.json: whole tensors', () => {
  const { tensors } = readSafetensors(fixture('modules.safetensors'));
  test.each(read('modules.json'))('%s', (name, c) => {
    const found = run(name, c);
    const keys = [...tensors.keys()]
      .filter((key) => key.startsWith(`${name}/`))
      .map((key) => key.slice(name.length + 1));
    expect(keys.length).toBeGreaterThan(1);
    for (const key of keys.filter((k) => !zero(name, k) && !k.endsWith('num_batches_tracked'))) {
      const error = relativeError(found.get(key) ?? [], toFloat32(tensors.get(`${name}/${key}`)!), key);
      expect({ key, ok: error <= allowed(key), error }).toMatchObject({ key, ok: true });
    }
  });
});
