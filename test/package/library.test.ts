import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as morphmlp from '../../src';

const page = readFileSync(path.join(__dirname, '..', '..', 'docs', 'library.md'), 'utf8');
const section = page.split('## From PyTorch')[1]!.split('\n## ')[0]!;
const rows = [...section.matchAll(/^\| `(.+?)`[^|]*\| `(.+?)` *\| *(?:`(.+?)`)? *\|$/gm)].map((m) => m.slice(1));

/** Values of tensors, and all else as it is. */
const shown = (value: unknown): unknown => (value instanceof morphmlp.Tensor ? value.toArray() : value);

test('the table has its rows', () => {
  expect(rows.length).toBe(section.split('\n').filter((line) => line.startsWith('| `')).length);
  expect(rows.length).toBeGreaterThan(50);
});

test.each(rows)('%s is %s', (_, ours, gives) => {
  morphmlp.scope(() => {
    const { tensor, ones, nn } = morphmlp;
    const scope = {
      ...morphmlp,
      x: tensor([[1, 2, 3], [4, 5, 6]]), // prettier-ignore
      row: tensor([1, 0, 2]),
      labels: tensor(Int32Array.of(2, 0)),
      picture: ones([1, 2, 4, 4]),
      net: new nn.Sequential(new nn.Linear(3, 2), new nn.GELU()),
    };

    const run = new Function(...Object.keys(scope), `return (${ours});`) as (...values: unknown[]) => unknown;
    const result = shown(run(...Object.values(scope)));
    if (gives !== undefined) expect(result).toEqual(JSON.parse(gives));
  });
});
