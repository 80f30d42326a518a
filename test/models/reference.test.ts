import path from 'node:path';
import { checkCase, holds, readCases } from '../../src/cli/commands/verify_action';
import { memory } from '../../src/core/runtime';

const fixture = (name: string) => path.join(__dirname, '..', 'fixtures', 'reference', name);

describe.each(['tiny.json', 'trajectory.json'])('%s', (file) => {
  test.each(readCases(fixture(file)))('%s agrees with the float64 reference', (name, c) => {
    const live = memory().live;
    expect(checkCase(name, c).filter((f) => !holds(f))).toEqual([]);
    expect(memory().live).toBe(live);
  });
});

test('a file of another form, and an unknown case, are named', () => {
  expect(() => readCases(fixture('hash.json'))).toThrow(/expected the form of tiny.json/);
  expect(() => readCases(fixture('tiny.json'), 'tiny')).toThrow(
    /case 'tiny' is not one of tiny_video16, tiny_video32, tiny_image/,
  );
  expect(() => readCases(__filename)).toThrow(/not a reference file/);
});
