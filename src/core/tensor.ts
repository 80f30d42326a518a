import { backend } from './dispatch';
import { isDryRun } from './dry_run';
import type { Device, DType, Handle } from './native';
import { noteMade } from './live_tensors';
import { expectOptions } from './options';
import { showValues } from './print';
import { requireDevice } from './runtime';
import { keepInScope, type GraphNode } from './scope';

/** Sizes of a tensor, outermost first. */
export type Shape = readonly number[];

/** A typed array that can fill a tensor. */
export type NumericArray = Float32Array | Int32Array | Uint8Array | Uint16Array;

/** Options of the creation functions. */
export interface TensorOptions {
  /** Device. Default `getDefaultDevice()`. */
  device?: Device;
  /** Element type. Default f32, for `tensor` that of its array. */
  dtype?: DType;
  /** Compute a gradient in `backward`; only for f32 and bf16. Default false. */
  requiresGrad?: boolean;
}

/** Elements that `fill` holds at once. */
const PIECE = 65536;

const ARRAYS = { f32: Float32Array, i32: Int32Array, u8: Uint8Array, bf16: Uint16Array } as const;

let defaultDevice: Device = 'cpu';

/** Sets the device of new tensors that do not name one. @throws if the device is unavailable */
export function setDefaultDevice(device: Device): void {
  requireDevice(device);
  defaultDevice = device;
}

/** The device of new tensors that do not name one: `cpu` unless `setDefaultDevice` was called. */
export function getDefaultDevice(): Device {
  return defaultDevice;
}

/** Storage shared by a tensor and its views; the native buffer is freed with the last of them. */
class Storage {
  private owners = 1;
  constructor(readonly handle: Handle) {}

  get freed(): boolean {
    return this.owners === 0;
  }

  retain(): this {
    this.owners += 1;
    return this;
  }

  release(): void {
    this.owners -= 1;
    if (this.owners === 0) backend.bufferFree(this.handle);
  }
}

/** The number of elements of a shape. */
export function elements(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `[2, 3]` as people write it. */
export function show(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Throws unless every size is a whole number of 0 or more and their product, without zeros, is below 2^53. */
export function checkShape(shape: Shape, what: string): void {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new Error(`${what}: shape ${show(shape)} has a size that is not a whole number of 0 or more`);
    }
  }
  if (elements(shape.filter((size) => size > 0)) > Number.MAX_SAFE_INTEGER)
    throw new Error(`${what}: shape ${show(shape)} is too large`);
}

function checkGradDtype(dtype: DType): void {
  if (dtype !== 'f32' && dtype !== 'bf16')
    throw new Error(`requiresGrad: only f32 and bf16 tensors have gradients, this is ${dtype}`);
}

/** Widens bf16, the upper half of a float, to f32. */
function widened(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return new Float32Array(words.buffer);
}

let created = 0;

/**
 * An n-dimensional array on a device: a shape, an element type and a native buffer, row-major and contiguous. Memory is freed
 * by `dispose()`, by the `scope` it was made in, or with the graph that saved it; the garbage collector is only the last resort.
 */
export class Tensor {
  /** Serial number: the order of creation. @internal */
  readonly id = created++;
  /** The gradient of the last `backward`, of this tensor's shape, where `requiresGrad` is set on a leaf. */
  grad: Tensor | null = null;
  /** The graph node that made this tensor; null for a leaf. @internal */
  node: GraphNode | null = null;
  /** A name for messages; parameters carry their full path. */
  name = '';
  /** Called with the gradient when a backward has computed it; a returned tensor of its shape replaces it, and stays the caller's. */
  hooks: ((grad: Tensor) => Tensor | void)[] = [];
  /** Set on tensors that outlive the scope they are made in: parameters, gradients, optimizer state. */
  persistent = false;
  private storage: Storage | null;
  private wantsGrad = false;

  /** @internal Tensors are made by `tensor`, `empty`, `zeros`, `ones`, `full` and by ops. */
  constructor(
    storage: Storage,
    /** Sizes, outermost first; `[]` for a scalar. */
    readonly shape: Shape,
    /** Element type. */
    readonly dtype: DType,
    /** Device that holds the elements. */
    readonly device: Device,
  ) {
    this.storage = storage;
    keepInScope(this);
  }

  /** The number of elements. */
  get size(): number {
    return elements(this.shape);
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.storage === null;
  }

  /** The native buffer. @throws if the tensor was freed @internal */
  get handle(): Handle {
    if (this.storage === null) throw new Error(`${this.label()} was freed: it is no longer usable`);
    return this.storage.handle;
  }

  /** How often its memory was overwritten, by this tensor or by a view, since it was first written. */
  get version(): number {
    return Math.max(0, backend.bufferVersion(this.handle) - 1);
  }

  /** Whether `backward` computes a gradient for this tensor. Only f32 and bf16 tensors may set it. */
  get requiresGrad(): boolean {
    return this.wantsGrad;
  }

  /** @throws for integer tensors */
  set requiresGrad(value: boolean) {
    if (value) checkGradDtype(this.dtype);
    this.wantsGrad = value;
  }

  /** The name and shape of this tensor, for messages. */
  label(): string {
    return this.name ? `tensor ${this.name} ${show(this.shape)}` : `a tensor of shape ${show(this.shape)}`;
  }

  /** Gives the memory back now. Harmless when repeated. Views keep the memory alive until the last is disposed. */
  dispose(): void {
    this.storage?.release();
    this.storage = null;
  }

  /** A second handle on the same memory, without graph; it must be disposed like any tensor. */
  detach(): Tensor {
    return this.view(this.shape);
  }

  /** The same memory under another shape of equal size, without graph (`reshape` in ops is the differentiable one, `op` who asks). */
  view(shape: Shape, op = 'view'): Tensor {
    checkShape(shape, op);
    if (elements(shape) !== this.size)
      throw new Error(`${op}: ${show(this.shape)} does not have the size of ${show(shape)}`);
    void this.handle;
    return new Tensor((this.storage as Storage).retain(), [...shape], this.dtype, this.device);
  }

  /** The elements, row-major, copied into a new typed array of the dtype (bf16: its 16 bits). */
  data(): NumericArray {
    const array = new ARRAYS[this.dtype](this.size);
    backend.bufferRead(this.handle, array);
    return array;
  }

  /** The elements of an f32 or bf16 tensor, row-major. @throws for integer tensors */
  floats(): Float32Array {
    const data = this.data();
    if (this.dtype === 'bf16') return widened(data as Uint16Array);
    if (this.dtype !== 'f32') throw new Error(`floats: expected an f32 or bf16 tensor, got ${this.dtype}`);
    return data as Float32Array;
  }

  /** The only element. @throws if the size is not 1 */
  item(): number {
    if (this.size !== 1) throw new Error(`item: expected one element, got ${show(this.shape)}`);
    return (this.dtype === 'bf16' ? this.floats() : this.data())[0] as number;
  }

  /** Nested arrays of numbers; a number for a scalar. */
  toArray(): unknown {
    const data = this.data();
    const build = (dim: number, offset: number): unknown => {
      if (dim === this.ndim) return data[offset];
      const step = elements(this.shape.slice(dim + 1));
      return Array.from({ length: this.shape[dim] as number }, (_, i) => build(dim + 1, offset + i * step));
    };
    return build(0, 0);
  }

  /** Overwrites the elements in place from an array of the same size and element type. */
  copyFrom(values: ArrayLike<number>): this {
    if (values.length !== this.size) {
      throw new Error(`copyFrom: ${this.label()} has ${this.size} elements, the array ${values.length}`);
    }
    backend.bufferWrite(this.handle, asElements(values, this.dtype));
    return this;
  }

  /**
   * Overwrites the elements in place: `write` fills an array with the elements from position `first` on. It is called for one
   * piece after the other, so that no second array of the tensor's size is needed.
   */
  fill(write: (piece: NumericArray, first: number) => void): this {
    const piece = new ARRAYS[this.dtype](Math.min(PIECE, this.size));
    for (let first = 0; first < this.size; first += PIECE) {
      const part = piece.subarray(0, Math.min(PIECE, this.size - first));
      write(part, first);
      backend.bufferWrite(this.handle, part, first, part.length);
    }
    return this;
  }

  /** This tensor on another device: itself where it already is. */
  to(device: Device): Tensor {
    if (device === this.device) return this;
    return tensor(this.data(), this.shape, { device, dtype: this.dtype });
  }

  /** Values (the ends of long dimensions), shape, element type and device; `console.log` prints the same. Reads the elements. */
  toString(): string {
    const facts = `${show(this.shape)}, ${this.dtype}, ${this.device}`;
    if (this.disposed) return `Tensor(${facts}, freed)`;
    const values = this.dtype === 'bf16' ? this.floats() : this.data();
    const grad = this.node ? ', with a graph' : this.requiresGrad ? ', requiresGrad' : '';
    return `Tensor(${showValues(values, this.shape, 'Tensor('.length)}, ${facts}${grad})`;
  }

  /** @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Numbers in the array type of a dtype: rounded for f32; refused where an integer type cannot hold them. */
function asElements(values: ArrayLike<number>, dtype: DType): NumericArray {
  const Kind = ARRAYS[dtype];
  const same = ArrayBuffer.isView(values) && Object.prototype.toString.call(values) === `[object ${Kind.name}]`;
  if (same) return values as unknown as NumericArray;
  const array = Kind.from(values);
  if (dtype === 'bf16' && array.some((bits) => bits !== 0))
    throw new Error('a bf16 tensor takes 16 bits for each element, in a Uint16Array');
  const bad = dtype === 'f32' ? -1 : array.findIndex((value, i) => value !== values[i]);
  if (bad >= 0) throw new Error(`a tensor of ${dtype} cannot hold ${values[bad]}, at position ${bad}`);
  return array;
}

/** The 16 bits of a number rounded to bf16, ties to even. */
function bf16Bits(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number;
  return Number.isNaN(value) ? 0x7fc0 : ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The options of functions that make tensors. */
export const TENSOR_OPTIONS = { device: true, dtype: true, requiresGrad: true } as const;

/** `empty` for the function `who` of messages. */
export function emptyFor(who: string, shape: Shape, options: TensorOptions): Tensor {
  expectOptions(who, options, TENSOR_OPTIONS);
  checkShape(shape, who);
  const { dtype = 'f32', device = defaultDevice, requiresGrad = false } = options;
  if (requiresGrad) checkGradDtype(dtype);
  const storage = new Storage(backend.bufferNew(dtype, device, elements(shape)));
  noteMade(storage, elements(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT);
  const made = new Tensor(storage, [...shape], dtype, device);
  made.requiresGrad = requiresGrad;
  return made;
}

/** A new tensor with uninitialised elements. */
export const empty = (shape: Shape, options: TensorOptions = {}): Tensor => emptyFor('empty', shape, options);

/** A new tensor on the device of `like` and of its element type, of its shape or another; contents undefined, no gradient. */
export function emptyLike(like: Tensor, shape: Shape = like.shape): Tensor {
  return empty(shape, { device: like.device, dtype: like.dtype });
}

/** A new f32 tensor on the device of `like`: for what is f32 whatever the activations are, such as statistics. */
export function floatsLike(like: Tensor, shape: Shape = like.shape): Tensor {
  return empty(shape, { device: like.device });
}

/** `full` for the function `who` of messages. */
export function fullFor(who: string, shape: Shape, value: number, options: TensorOptions): Tensor {
  expectOptions(who, options, TENSOR_OPTIONS);
  const [element] = options.dtype === 'bf16' ? [bf16Bits(value)] : asElements([value], options.dtype ?? 'f32');
  const made = emptyFor(who, shape, options);
  if (isDryRun()) return made;
  return made.fill((piece) => piece.fill(element as number));
}

/** A tensor with one value everywhere. @throws if the element type cannot hold the value */
export const full = (shape: Shape, value: number, options: TensorOptions = {}): Tensor =>
  fullFor('full', shape, value, options);

/** A tensor of zeros. */
export const zeros = (shape: Shape, options: TensorOptions = {}): Tensor => fullFor('zeros', shape, 0, options);

/** A tensor of ones. */
export const ones = (shape: Shape, options: TensorOptions = {}): Tensor => fullFor('ones', shape, 1, options);

/** A number, or arrays of numbers nested to one depth. */
export type Nested = number | readonly Nested[];

function inferShape(values: Nested): number[] {
  if (!Array.isArray(values)) return [];
  return [values.length, ...(values.length > 0 ? inferShape(values[0] as Nested) : [])];
}

function flatten(values: Nested, shape: Shape, dim: number, out: number[]): number[] {
  if (typeof values === 'number') {
    if (dim !== shape.length) throw new Error(`tensor: a number where depth ${shape.length} was expected`);
    out.push(values);
    return out;
  }
  if (!Array.isArray(values)) throw new Error(`tensor: expected numbers, got ${String(values)}`);
  if (values.length !== shape[dim]) {
    throw new Error(`tensor: ragged nested array: expected ${shape[dim]} values at depth ${dim}, got ${values.length}`);
  }
  for (const value of values) flatten(value, shape, dim + 1, out);
  return out;
}

function dtypeOf(values: NumericArray | Nested): DType {
  const kind = Object.prototype.toString.call(values); // not instanceof: arrays of another realm are as good
  return kind === '[object Int32Array]' ? 'i32' : kind === '[object Uint8Array]' ? 'u8' : 'f32';
}

/**
 * A tensor from nested arrays, or from a flat (typed) array with a shape. Int32Array makes i32, Uint8Array u8, all else f32.
 * @throws when the array is ragged or does not have the shape's size.
 */
export function tensor(values: NumericArray | Nested, shape?: Shape, options: TensorOptions = {}): Tensor {
  expectOptions('tensor', options, TENSOR_OPTIONS);
  const dtype = options.dtype ?? dtypeOf(values);
  const flat = ArrayBuffer.isView(values) ? values : flatten(values, inferShape(values), 0, []);
  const dims = shape ?? (ArrayBuffer.isView(values) ? [values.length] : inferShape(values));
  checkShape(dims, 'tensor');
  if (elements(dims) !== flat.length) {
    throw new Error(`tensor: shape ${show(dims)} needs ${elements(dims)} values, got ${flat.length}`);
  }
  const filling = asElements(flat, dtype); // before the memory is taken: it may throw
  return empty(dims, { ...options, dtype }).copyFrom(filling);
}
