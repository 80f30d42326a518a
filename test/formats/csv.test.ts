import { csvLine } from '../../src/formats/csv';

test.each([
  [['a', 1, 0.5], 'a,1,0.5\n'],
  [['a,b', 'say "x"', 'two\nlines'], '"a,b","say ""x""","two\nlines"\n'],
  [[' edge', 'end ', 'in side', ''], '" edge","end ",in side,\n'],
  [['a\r'], '"a\r"\n'],
])('%j', (fields, line) => expect(csvLine(fields)).toBe(line));
