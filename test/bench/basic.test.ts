import { casesInBf16, chooseCases } from '../../src/bench/kernels/ops';
import { basic } from '../../src/bench/kernels/ops/basic';
import { STAGES } from '../../src/bench/kernels/stages';
import { verify } from '../../src/bench/kernels/verify';

const names = basic(STAGES[0]!).map(({ op }) => op);

test('bench kernels has a row for each kind of op', () => {
  expect(names.length).toBeGreaterThan(25);
  expect(chooseCases(names).length).toBe(names.length);
});

describe.each(['f32', 'bf16'] as const)('in %s', (precision) => {
  test.each(names)('%s is verified as it is measured', (name) => {
    const cases = chooseCases([name]);
    const [made] = precision === 'bf16' ? casesInBf16(cases) : cases;
    expect(made!.verified!.roundings !== undefined).toBe(precision === 'bf16');
    verify(made!.verified!, 1);
  });
});
