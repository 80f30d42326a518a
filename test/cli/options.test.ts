import { parseBytes } from '../../src/train/config/bytes';
import { byteSize, numberIn, onOff, wholeNumber } from '../../src/cli/options';

test.each([
  ['1500', 1500],
  ['64k', 65536],
  ['1.5G', 1.5 * 2 ** 30],
  ['200MiB', 200 * 2 ** 20],
])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each(['', 'x', '-1', '0', '2T', '1e3', 'NaN', 'G'])("'%s' is no amount of memory", (text) =>
  expect(() => byteSize(text)).toThrow('Expected an amount of memory such as 1500M or 2G.'),
);

test.each(['', ' ', 'x', 'NaN', '-1', '2', 'Infinity'])("'%s' is no number from 0 to 1", (text) =>
  expect(() => numberIn(0, 1)(text)).toThrow('Expected a number from 0 to 1.'),
);

test('a switch is on or off', () => {
  expect(['on', 'off'].map(onOff)).toEqual([true, false]);
  for (const text of ['', 'On', 'true', '1']) expect(() => onOff(text)).toThrow('Expected on or off.');
});

test.each(['', '0', '1.5', '1e400', 'x'])("'%s' is no whole number of at least 1", (text) =>
  expect(() => wholeNumber(1)(text)).toThrow('Expected a whole number of at least 1.'),
);
