import path from 'node:path';
import { checkCase, holds, readCases } from '../../src/cli/commands/verify_action';

const file = path.join(__dirname, '..', 'fixtures', 'reference', 'models_full.json');

test.each(readCases(file))('%s at full size agrees with the float64 reference', (name, c) => {
  expect(checkCase(name, c).filter((f) => !holds(f))).toEqual([]);
});
