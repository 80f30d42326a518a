import { indexSelect } from '../../src/ops';
import { ones, tensor } from '../../src/core/tensor';
import { native } from '../../src/core/native';

// Jest runs this file in a realm of its own.
test("errors of the addon are instances of this realm's Error, with their message and stack", () => {
  const call = () => indexSelect(ones([2, 2]), tensor(Int32Array.of(9)));
  expect(call).toThrow(Error);
  expect(call).toThrow('index 9 at position 0 is outside 0 to 1');
  try {
    call();
  } catch (error) {
    expect((error as Error).stack).toMatch(/realm\.test/);
  }
  expect(() => native.setIsa('none')).toThrow(Error);
});
