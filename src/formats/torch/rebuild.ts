/** Storages and tensors as a pickle describes them: every size is checked here, before any memory is taken. */
import { elementCount } from '../dtypes';
import type { DType } from '../dtypes';
import { FormatError, PickleGlobal, PickleTuple, StorageRef, TensorRef, describe } from './values';
import type { PickleValue } from './values';

/** Element types of the storages that can be read, by the names that pickles give them. */
export const STORAGE_TYPES = new Map<string, DType>(
  Object.entries({
    Double: 'F64',
    Float: 'F32',
    Half: 'F16',
    BFloat16: 'BF16',
    Long: 'I64',
    Int: 'I32',
    Short: 'I16',
    Char: 'I8',
    Byte: 'U8',
    Bool: 'BOOL',
  } as const).map(([name, dtype]) => [`torch.${name}Storage`, dtype]),
);

/** More dimensions than PyTorch allows. */
const MOST_DIMENSIONS = 64;

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function sizes(value: PickleValue | undefined, what: string): number[] {
  const valid = value instanceof PickleTuple && value.items.length <= MOST_DIMENSIONS && value.items.every(isSize);
  if (!valid)
    throw new FormatError(`a tensor whose ${what} is ${describe(value)}, expected a tuple of whole numbers from 0`);
  return [...(value.items as readonly number[])];
}

/**
 * The tensor behind `_rebuild_tensor_v2(storage, offset, size, stride, …)`.
 * @throws FormatError where it reaches beyond its storage
 */
export function rebuildTensor([storage, offset, size, strides]: readonly PickleValue[]): TensorRef {
  if (!(storage instanceof StorageRef)) throw new FormatError(`a tensor of ${describe(storage)}, expected a storage`);
  if (!isSize(offset))
    throw new FormatError(`a tensor with offset ${describe(offset)}, expected a whole number from 0`);
  const shape = sizes(size, 'shape');
  const stride = sizes(strides, 'stride');
  if (shape.length !== stride.length) throw new FormatError(`a tensor of shape [${shape}] with strides [${stride}]`);
  const count = elementCount(shape);
  if (count === undefined) throw new FormatError(`a tensor of shape [${shape}], which has more than 2^53 elements`);
  requireInside(storage, offset, shape, stride, count);
  return new TensorRef(storage, offset, shape, stride, count);
}

function requireInside(storage: StorageRef, offset: number, shape: number[], stride: number[], count: number): void {
  if (count === 0) return;
  const last = shape.reduce((at, n, d) => at + (n - 1) * (stride[d] as number), offset);
  if (last < storage.count) return;
  throw new FormatError(
    `a tensor of shape [${shape}], strides [${stride}] and offset ${offset} reaches element ${last} ` +
      `of storage ${describe(storage.key)}, which has ${storage.count}`,
  );
}

/** Storages by key. One key always means one type and one size. */
export class StorageTable {
  readonly byKey = new Map<string, StorageRef>();

  /** The storage behind a persistent id ('storage', type, key, device, elements[, view]). */
  resolve(id: PickleValue): StorageRef {
    if (!(id instanceof PickleTuple) || id.items[0] !== 'storage')
      throw new FormatError(`a persistent object ${describe(id)}, expected a storage`);
    const [, type, key, , total, view] = id.items;
    const dtype = type instanceof PickleGlobal ? STORAGE_TYPES.get(type.name) : undefined;
    if (!dtype) throw new FormatError(`a storage of type ${describe(type)}`);
    if (typeof key !== 'string' || !isSize(total))
      throw new FormatError(`a storage called ${describe(key)} of ${describe(total)} elements`);
    const whole = this.intern(new StorageRef(key, dtype, 0, total, total));
    return view === undefined || view === null ? whole : viewOf(whole, view);
  }

  private intern(storage: StorageRef): StorageRef {
    const known = this.byKey.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.total !== storage.total))
      throw new FormatError(
        `storage ${describe(storage.key)} is ${storage.dtype} with ${storage.total} elements, ` +
          `before it was ${known.dtype} with ${known.total}`,
      );
    this.byKey.set(storage.key, known ?? storage);
    return known ?? storage;
  }
}

/** Legacy files describe a part of a storage as (key of the view, offset, elements). */
function viewOf(whole: StorageRef, view: PickleValue): StorageRef {
  const [, start, count] = view instanceof PickleTuple ? view.items : [];
  if (!isSize(start) || !isSize(count) || start + count > whole.total)
    throw new FormatError(
      `a view of storage ${describe(whole.key)} by ${describe(view)} beyond its ${whole.total} elements`,
    );
  return new StorageRef(whole.key, whole.dtype, start, count, whole.total);
}
