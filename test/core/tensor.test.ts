import { native } from '../../src/core/native';
import { crossEntropy, oneHot } from '../../src/ops';
import { memory, requireDevice } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { empty, full, ones, tensor, zeros, type Shape } from '../../src/core/tensor';

let live = 0;
beforeEach(() => void (live = memory().live));
afterEach(() => expect(memory().live).toBe(live));

/** A test whose body is a scope. */
const inScope = (body: () => void) => () => scope(body);

describe('creation', () => {
  test.each([
    ['a number', 5, [], [5]],
    ['a row', [1, 2], [2], [1, 2]],
    [
      'a matrix',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
    ['three dimensions', [[[1], [2]]], [1, 2, 1], [1, 2]],
    ['nothing', [], [0], []],
    ['rows of nothing', [[], []], [2, 0], []],
  ] as const)('%s', (_, values, shape, elements) => {
    scope(() => {
      const t = tensor(values as Parameters<typeof tensor>[0]);
      expect([t.shape, t.dtype, t.device, [...t.data()], t.toArray()]).toEqual([shape, 'f32', 'cpu', elements, values]);
      expect([t.size, t.ndim, t.requiresGrad]).toEqual([elements.length, shape.length, false]);
    });
  });

  test.each([
    [Float32Array.of(1.5, -0, NaN), 'f32'],
    [Int32Array.of(-(2 ** 31), 2 ** 31 - 1), 'i32'],
    [Uint8Array.of(0, 255), 'u8'],
  ])('%p becomes %s, and data() returns an equal copy', (array, dtype) => {
    scope(() => {
      const t = tensor(array, [1, array.length]);
      const back = t.data();
      expect([t.dtype, back, t.shape]).toEqual([dtype, array, [1, array.length]]);
      [array[0], back[0]] = [7, 8];
      expect(t.data()[0]).not.toBe(7);
      expect(t.data()[0]).not.toBe(8);
    });
  });

  test(
    'a subarray is read at its offset in the buffer',
    inScope(() => {
      expect([...tensor(Float32Array.of(1, 2, 3, 4).subarray(1, 3)).floats()]).toEqual([2, 3]);
    }),
  );

  test(
    'a bf16 tensor takes and gives its bits',
    inScope(() => {
      const t = tensor(Uint16Array.of(0x3f80, 0xc000), [2], { dtype: 'bf16' });
      expect(t.data()).toEqual(Uint16Array.of(0x3f80, 0xc000));
      expect(zeros([2], { dtype: 'bf16' }).data()).toEqual(new Uint16Array(2));
    }),
  );

  test(
    'numbers are rounded for f32 and refused where an integer type cannot hold them',
    inScope(() => {
      expect(tensor([0.1]).item()).toBe(Math.fround(0.1));
      expect([...tensor([-1, 2], [2], { dtype: 'i32' }).data()]).toEqual([-1, 2]);
      const make = (value: number, dtype: 'i32' | 'u8' | 'bf16') => () => tensor([0, value], [2], { dtype });
      expect(make(256, 'u8')).toThrow('a tensor of u8 cannot hold 256, at position 1');
      expect(make(-1, 'u8')).toThrow('a tensor of u8 cannot hold -1, at position 1');
      expect(make(2 ** 31, 'i32')).toThrow('a tensor of i32 cannot hold 2147483648, at position 1');
      expect(make(0.5, 'i32')).toThrow('a tensor of i32 cannot hold 0.5, at position 1');
      expect(make(NaN, 'i32')).toThrow('a tensor of i32 cannot hold NaN, at position 1');
      expect(make(1, 'bf16')).toThrow('a bf16 tensor takes 16 bits for each element, in a Uint16Array');
      expect([...ones([2], { dtype: 'bf16' }).floats()]).toEqual([1, 1]); // the number, not its bits
      expect(() => full([2], 300, { dtype: 'u8' })).toThrow('a tensor of u8 cannot hold 300');
    }),
  );

  test.each([
    [[[1, 2], [3]], /ragged nested array: expected 2 values at depth 1, got 1/],
    [[[1], 2], /a number where depth 2 was expected/],
    [[1, [2]], /ragged|expected/],
    [[1, 'two'], /tensor: expected numbers, got two/],
    [[1, undefined], /tensor: expected numbers, got undefined/],
    [null, /tensor: expected numbers, got null/],
    ['text', /tensor: expected numbers, got text/],
  ])('%j is refused', (values, message) => expect(() => tensor(values as number[])).toThrow(message));

  test.each<[Shape, RegExp]>([
    [[-2, -3], /^tensor: shape \[-2, -3\] has a size that is not a whole number of 0 or more$/],
    [[1.5, 4], /^tensor: shape \[1.5, 4\] has a size/],
    [[NaN], /^tensor: shape \[NaN\] has a size/],
    [[Infinity, 0], /^tensor: shape \[Infinity, 0\] has a size/],
    [['6' as unknown as number], /^tensor: shape \[6\] has a size/],
    [[2 ** 27, 2 ** 27], /^tensor: shape .* is too large$/],
    [[1e308, 1e308, 0], /^tensor: shape .* is too large$/],
  ])('shape %p is refused', (shape, message) => {
    const of = (who: string): RegExp => new RegExp(message.source.replace('tensor', who));
    expect(() => zeros(shape)).toThrow(of('zeros'));
    expect(() => empty(shape)).toThrow(of('empty'));
    expect(() => tensor(new Float32Array(6), shape)).toThrow(message);
    expect(() => scope(() => zeros([6]).view(shape))).toThrow(of('view'));
  });

  test('a shape that does not match the values, and an allocation beyond memory, are refused', () => {
    expect(() => tensor([1, 2, 3], [2, 2])).toThrow('tensor: shape [2, 2] needs 4 values, got 3');
    expect(() => zeros([2 ** 45])).toThrow(/out of memory/);
  });

  test('dtypes and devices that do not exist are named', () => {
    const odd = (options: object) => () => empty([1], options);
    expect(odd({ dtype: 'f64' })).toThrow("dtype 'f64' is not one of f32, bf16, i32, u8");
    expect(odd({ device: 'tpu' })).toThrow("device 'tpu' is not one of cpu, cuda");
    expect(odd({ dtype: 'i32', requiresGrad: true })).toThrow('only f32 and bf16 tensors have gradients, this is i32');
  });

  const reason = native.cudaStatus();
  const onlyWithout = reason === 'available' ? test.failing : test;
  onlyWithout(
    'a CUDA device that is not there is an error with the reason, never the CPU',
    inScope(() => {
      expect(reason.length).toBeGreaterThan(10);
      const message = `no CUDA device: ${reason}`;
      expect(() => zeros([1], { device: 'cuda' })).toThrow(message);
      expect(() => ones([1]).to('cuda')).toThrow(message);
      expect(() => requireDevice('cuda')).toThrow(message);
    }),
  );
});

describe('elements', () => {
  test(
    'item, floats and copyFrom report the expected argument',
    inScope(() => {
      expect([tensor([[7]]).item(), tensor(3).item(), tensor(Int32Array.of(4)).item()]).toEqual([7, 3, 4]);
      expect(() => zeros([2]).item()).toThrow('item: expected one element, got [2]');
      expect(() => zeros([0]).item()).toThrow('item: expected one element, got [0]');
      expect(() => tensor(Int32Array.of(4)).floats()).toThrow('floats: expected an f32 or bf16 tensor, got i32');
      expect(() => zeros([2, 3]).copyFrom([1])).toThrow(
        'copyFrom: a tensor of shape [2, 3] has 6 elements, the array 1',
      );
      expect(zeros([2]).copyFrom([1, 2]).toArray()).toEqual([1, 2]);
    }),
  );

  test.each([-1, 3, 2 ** 31 - 1])('label %d of 3 classes is refused', (label) => {
    scope(() => {
      const message = `crossEntropy: label ${label} at position 1 is outside 0 to 2`;
      expect(() => crossEntropy(zeros([2, 3]), tensor(Int32Array.of(0, label)))).toThrow(message);
      expect(() => oneHot([0, label], 3)).toThrow(message);
    });
  });
});
