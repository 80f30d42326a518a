import { isDryRun } from './dry_run';
import { nextRandom } from './generator';
import { expectOptions } from './options';
import { Philox } from './philox';
import { emptyFor, elements, fullFor, TENSOR_OPTIONS, type Shape, type Tensor, type TensorOptions } from './tensor';

/**
 * The numbers from `start` up to, not including, `end`: `arange(n)` gives 0 to n − 1.
 * @param start its end, if it is the only bound
 * @param options `step`, of either sign, default 1; element type (default f32) and device
 */
export function arange(start: number, end?: number, options: TensorOptions & { step?: number } = {}): Tensor {
  expectOptions('arange', options, { ...TENSOR_OPTIONS, step: true });
  const { step = 1, ...rest } = options;
  const [from, to] = end === undefined ? [0, start] : [start, end];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!Number.isFinite(count)) throw new Error(`arange: no numbers from ${from} to ${to} in steps of ${step}`);
  const made = emptyFor('arange', [count], rest);
  return isDryRun() ? made : made.copyFrom(Array.from({ length: count }, (_, i) => from + i * step));
}

/** Fills an f32 tensor from the generator that `manualSeed` seeds; the device does not matter. */
function random(
  who: string,
  shape: Shape,
  options: TensorOptions,
  words: number,
  draw: (from: Philox) => number,
): Tensor {
  const made = emptyFor(who, shape, options);
  if (made.dtype !== 'f32') throw new Error(`${who}: random numbers are f32, got ${made.dtype}: cast() them`);
  const { seed, offset } = nextRandom(elements(shape) * words);
  const key: [number, number] = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const generator = Philox.restore({ key, stream: [0, 0], position: offset });
  if (isDryRun()) return made;
  return made.fill((piece) => {
    for (let i = 0; i < piece.length; i++) piece[i] = draw(generator);
  });
}

/** Numbers uniform in [0, 1), from the generator that `manualSeed` seeds. */
export const rand = (shape: Shape, options: TensorOptions = {}): Tensor =>
  random('rand', shape, options, 1, (from) => Math.floor(from.uniform() * 2 ** 24) / 2 ** 24);

/** Numbers of the standard normal distribution, from the generator that `manualSeed` seeds. */
export const randn = (shape: Shape, options: TensorOptions = {}): Tensor =>
  random('randn', shape, options, 2, (from) => from.normal());

/** The identity matrix [n, n], or [n, m] with ones on the diagonal. */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
  const made = fullFor('eye', [n, m], 0, options);
  const ones = Array.from({ length: n * m }, (_, i) => (i % m === Math.floor(i / m) ? 1 : 0));
  return isDryRun() ? made : made.copyFrom(ones);
}

function fullLike(who: string, t: Tensor, value: number, options: TensorOptions): Tensor {
  expectOptions(who, options, TENSOR_OPTIONS);
  return fullFor(who, t.shape, value, { device: t.device, dtype: t.dtype, ...options });
}

/** Zeros of the shape, element type and device of t. */
export const zerosLike = (t: Tensor, options: TensorOptions = {}): Tensor => fullLike('zerosLike', t, 0, options);

/** Ones of the shape, element type and device of t. */
export const onesLike = (t: Tensor, options: TensorOptions = {}): Tensor => fullLike('onesLike', t, 1, options);
