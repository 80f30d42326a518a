import { spawnSync } from 'node:child_process';
import { loadAddon } from '../../src/core/addon_path';

/** The messages of calls of the naive kernels, in a child process: what is let through would read foreign memory. */
function messages(calls: string): string[] {
  const source = `
    const a = require(process.argv[1]);
    const buffer = (...shape) => a.bufferNew('f32', 'cpu', shape.reduce((x, y) => x * y, 1));
    const t = (name, ...shape) => [name, shape, buffer(...shape)];
    const none = (name, ...shape) => [name, shape, null];
    const run = (op, attributes, inputs, outputs, backward = false) => {
      try {
        a.pluginRun(a.pluginNaive(op, 'cpu').plugin, backward, Object.entries(attributes), inputs, outputs);
        return 'ran';
      } catch (error) { return error.message; }
    };
    console.log(JSON.stringify([${calls}]));`;
  const found = spawnSync(process.execPath, ['-e', source, loadAddon().file], { encoding: 'utf8' });
  expect({ status: found.status, signal: found.signal, stderr: found.stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  return JSON.parse(found.stdout) as string[];
}

const MORPH = '{ chunk: 2, vertical: 0, strided: 0 }';
const morph = (attributes: string) =>
  `run('morph_fc', ${attributes}, [t('x', 1, 2, 2, 4), t('weight', 4, 4), none('bias', 4)], [t('y', 1, 2, 2, 4)])`;
const temporal = (groups: string, rows: number) =>
  `run('temporal_fc', { groups: ${groups} }, [t('x', 1, 2, 3, 4), t('weight', ${rows}, ${rows}), none('bias', ${rows})], [t('y', 1, 2, 3, 4)])`;

test.each<[string, string, string]>([
  ['no tensors', "run('gelu', {}, [], [])", 'tensor x is missing'],
  ['no output', "run('gelu', {}, [t('x', 2)], [])", 'tensor y is missing'],
  [
    'a shape without sizes',
    "run('linear', {}, [t('x'), t('weight', 2, 2), none('bias', 2)], [t('y', 1, 2)])",
    'tensor x: shape [] does not fit the other tensors',
  ],
  [
    'a missing size',
    "run('layer_norm', { eps: 1 }, [t('x', 4), t('gamma', 4), t('beta', 4)], [t('y', 4)])",
    'tensor x: shape [4] does not fit the other tensors',
  ],
  [
    'a negative size',
    "run('gelu', {}, [['x', [-1], buffer(1)]], [t('y', 1)])",
    'shape: expected whole numbers of 0 or more, got -1.000000',
  ],
  [
    'two negative sizes',
    "run('linear', {}, [['x', [-1, -1], buffer(1)], t('weight', 1, 1), none('bias', 1)], [t('y', 1, 1)])",
    'shape: expected whole numbers of 0 or more, got -1.000000',
  ],
  [
    'half a size',
    "run('gelu', {}, [['x', [1.5], buffer(1)]], [t('y', 1)])",
    'shape: expected whole numbers of 0 or more, got 1.500000',
  ],
  [
    'sizes that disagree',
    "run('linear', {}, [t('x', 2, 3), t('weight', 4, 5), none('bias', 4)], [t('y', 2, 4)])",
    'tensor weight: shape [4, 5] does not fit the other tensors',
  ],
  [
    'an output that is too small',
    "run('linear', {}, [t('x', 2, 3), t('weight', 4, 3), none('bias', 4)], [t('y', 1, 4)])",
    'tensor y: shape [1, 4] does not fit the other tensors',
  ],
  [
    'an input without a buffer',
    "run('gelu', {}, [none('x', 2)], [t('y', 2)])",
    'tensor x: expected a buffer, got null',
  ],
  ['one tensor more', "run('gelu', {}, [t('x', 2), t('z', 2)], [t('y', 2)])", 'inputs: expected 1, got 2'],
  ['no gradient to go back', "run('gelu', {}, [t('x', 2)], [t('dx', 2)], true)", 'tensor dy is missing'],
  ['no attributes', morph('{}'), 'attribute chunk is missing'],
  [
    'a chunk of 0',
    morph('{ chunk: 0, vertical: 0, strided: 0 }'),
    'attribute chunk: expected a divisor of the 4 channels, got 0.000000',
  ],
  [
    'a chunk that does not divide',
    morph('{ chunk: 3, vertical: 0, strided: 0 }'),
    'attribute chunk: expected a divisor of the 4 channels, got 3.000000',
  ],
  [
    'a negative number of groups',
    temporal('-2', 4),
    'attribute groups: expected a divisor of the 4 channels, got -2.000000',
  ],
  [
    'groups that do not fit the weight',
    temporal('1', 4),
    'tensor weight: expected rows of T C / groups elements, got 4',
  ],
  [
    'one buffer to read and to write',
    "(() => { const b = buffer(2); return run('gelu', {}, [['x', [2], b]], [['y', [2], b]]); })()",
    'argument y, which is written, overlaps argument x',
  ],
])('%s: refused', (_, call, message) => expect(messages(call)).toEqual([message]));

test('calls that fit run', () => {
  const calls = [
    "run('gelu', {}, [t('x', 2)], [t('y', 2)])",
    "run('gelu', {}, [t('x', 0)], [t('y', 0)])",
    "run('gelu', {}, [t('x', 2), t('dy', 2)], [none('dx', 2)], true)",
    "run('linear', {}, [t('x', 2, 3), t('weight', 4, 3), t('bias', 4)], [t('y', 2, 4)])",
    morph(MORPH),
    temporal('2', 4),
  ];
  expect(messages(calls.join())).toEqual(calls.map(() => 'ran'));
});
