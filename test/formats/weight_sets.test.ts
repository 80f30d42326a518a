import { keyOf, weightSet, type TensorDict } from '../../src/formats/weight_sets';

const MODEL = ['a.weight', 'a.bias', 'norm.running_mean', 'norm.num_batches_tracked'];
const under = (prefix: string, names = MODEL) => names.map((name) => prefix + name);
const at = (path: string, ...names: string[][]): TensorDict => ({ path, names: names.flat() });
const choose = (dicts: TensorDict[], key?: string) => weightSet('a.weight', key)(dicts);

describe('one set, under any keys and prefixes', () => {
  test.each([
    ['.', [at('', MODEL)]],
    ['state_dict', [at('state_dict', MODEL)]],
    ['module', [at('', under('module.'), ['n_averaged'])]],
    ['_orig_mod.module', [at('', under('_orig_mod.module.'), ['_orig_mod.n_averaged'])]],
    ['a.b.c.x.y', [at('a.b', ['other']), at('a.b.c', under('x.y.'), ['loss.weight'])]],
    ['model', [at('model', MODEL), at('optimizer.state.0', ['exp_avg'])]],
    ['model', [at('exp_avg', MODEL.slice(0, 2)), at('model', MODEL)]],
  ])('%s', (key, dicts) => {
    const set = choose(dicts);
    expect(keyOf(set)).toBe(key);
    expect([...set.members.values()]).toEqual(MODEL);
    expect([...set.members.keys()]).toEqual(under(set.prefix));
  });
});

describe('several sets', () => {
  const top = [at('', MODEL, under('ema.'))];
  const wrapped = [at('state_dict', under('model.'), under('ema.module.')), at('state_dict_ema', under('model.'))];

  test.each([
    ['.', top, '.'],
    ['ema', top, 'ema'],
    ['ema.', top, 'ema'],
    ['state_dict.model', wrapped, 'state_dict.model'],
    ['state_dict.ema', wrapped, 'state_dict.ema.module'],
    ['state_dict_ema', wrapped, 'state_dict_ema.model'],
  ])('--weights-key %s', (key, dicts, found) => {
    const set = choose(dicts, key);
    expect(keyOf(set)).toBe(found);
    expect([...set.members.values()]).toEqual(MODEL);
  });

  test('are listed', () => {
    expect(() => choose(top)).toThrow(
      /^2 sets of weights fit: \. \(the top of the file\), ema; choose one with: .*--weights-key \.$/,
    );
    expect(() => choose(wrapped, 'state_dict')).toThrow(
      '2 sets of weights fit: state_dict.model, state_dict.ema.module;',
    );
    expect(() => choose(wrapped, 'teacher')).toThrow(
      'no set of weights is called "teacher", expected one of state_dict.model, state_dict.ema.module, state_dict_ema.model',
    );
  });

  test('a set without counters is as good as one with them', () =>
    expect(() => choose([at('model', MODEL), at('ema', MODEL.slice(0, 3))])).toThrow('2 sets of weights fit'));

  test('a part of another set is only taken by its key', () => {
    const dicts = [at('model', MODEL), at('exp_avg', MODEL.slice(0, 2))];
    expect(keyOf(choose(dicts))).toBe('model');
    expect(keyOf(choose(dicts, 'exp_avg'))).toBe('exp_avg');
  });
});

test('no set: the error lists the names in the file', () => {
  expect(() => choose([at('', ['x', 'y', 'z']), at('m', ['a.bias'])])).toThrow(
    'expected weights with a tensor a.weight, under any prefix; found 4 entries (x, y, z, …)',
  );
  const many = at('', ...Array.from({ length: 65 }, (_, i) => under(`${i}.`)));
  expect(() => choose([many])).toThrow('more than 64 such sets');
});
