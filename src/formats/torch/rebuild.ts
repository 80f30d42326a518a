/** Storages and tensors of a pickle. Every size is checked here, before memory is allocated. */
import { elementCount } from '../dtypes';
import type { DType } from '../dtypes';
import {
  FormatError,
  NotRead,
  PickleDict,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  StorageRef,
  TensorRef,
} from './values';
import { describe } from './values';
import type { PickleValue } from './values';

/** Supported element types by the class names of storages in pickles. */
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

/** Bytes per element of unsupported storages, needed to skip them in a legacy file. */
const OTHER_STORAGES = new Map<string, number>(
  Object.entries({
    'torch.ComplexFloatStorage': 8,
    'torch.ComplexDoubleStorage': 16,
    'torch.QInt8Storage': 1,
    'torch.QUInt8Storage': 1,
    'torch.QInt32Storage': 4,
    'torch.QUInt4x2Storage': 1,
    'torch.QUInt2x4Storage': 1,
    'torch.UntypedStorage': 1,
    'torch.storage.UntypedStorage': 1,
  }),
);

/** Maximum number of dimensions; PyTorch's limit is lower. */
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
 * The result of `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, bits])`.
 * @throws FormatError if the tensor exceeds its storage, {@link NotRead} if it has unknown bits
 */
export function rebuildTensor([storage, offset, size, strides, , , bits]: readonly PickleValue[]):
  TensorRef | PickleObject {
  if (storage instanceof PickleObject) return storage;
  if (!(storage instanceof StorageRef)) throw new FormatError(`a tensor of ${describe(storage)}, expected a storage`);
  if (!isSize(offset))
    throw new FormatError(`a tensor with offset ${describe(offset)}, expected a whole number from 0`);
  const shape = sizes(size, 'shape');
  const stride = sizes(strides, 'stride');
  if (shape.length !== stride.length) throw new FormatError(`a tensor of shape [${shape}] with strides [${stride}]`);
  const count = elementCount(shape);
  if (count === undefined) throw new FormatError(`a tensor of shape [${shape}], which has more than 2^53 elements`);
  requireInside(storage, offset, shape, stride, count);
  return new TensorRef(storage, offset, shape, stride, count, isNegative(bits));
}

/** True if the negative bit is set. The conjugate bit has no effect on real numbers, the only supported ones. */
function isNegative(bits: PickleValue | undefined): boolean {
  if (bits === undefined || bits === null) return false;
  if (!(bits instanceof PickleDict)) throw new NotRead(`a tensor with the bits ${describe(bits)}, expected a dict`);
  for (const [key, value] of bits.entries)
    if (value !== false && key !== 'neg' && key !== 'conj')
      throw new NotRead(`a tensor with the bit ${describe(key)}, expected neg or conj`);
  return Boolean(bits.entries.get('neg'));
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

/** Storages by key. All uses of a key must agree on type and size. */
export class StorageTable {
  readonly byKey = new Map<string, StorageRef>();
  /** Number of elements and bytes per element of unsupported storages. */
  readonly others = new Map<string, { total: number; size: number | undefined }>();

  /**
   * The storage of a persistent id ('storage', type, key, device, elements[, view]); a placeholder if its type is unsupported. Legacy
   * files also use persistent ids for classes: ('module', class, …).
   */
  resolve(id: PickleValue): StorageRef | PickleGlobal | PickleObject {
    const [kind, source] = id instanceof PickleTuple ? id.items : [];
    if (kind === 'module' && source instanceof PickleGlobal) return source;
    if (!(id instanceof PickleTuple) || kind !== 'storage')
      throw new FormatError(`a persistent object ${describe(id)}, expected a storage`);
    const [, type, key, , total, view] = id.items;
    const dtype = type instanceof PickleGlobal ? STORAGE_TYPES.get(type.name) : undefined;
    if (typeof key !== 'string' || !isSize(total))
      throw new FormatError(`a storage called ${describe(key)} of ${describe(total)} elements`);
    if (!dtype) return this.notRead(type, key, total);
    const whole = this.intern(new StorageRef(key, dtype, 0, total, total));
    return view === undefined || view === null ? whole : viewOf(whole, view);
  }

  private notRead(type: PickleValue | undefined, key: string, total: number): PickleObject {
    const { name = '', refusal } = type instanceof PickleGlobal ? type : {};
    this.others.set(key, { total, size: OTHER_STORAGES.get(name) });
    if (refusal !== undefined) return new PickleObject(refusal);
    throw new NotRead(`a storage of type ${describe(type)}`);
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

/** A view of a storage in a legacy file: (key of the view, offset, elements). */
function viewOf(whole: StorageRef, view: PickleValue): StorageRef {
  const [, start, count] = view instanceof PickleTuple ? view.items : [];
  if (!isSize(start) || !isSize(count) || start + count > whole.total)
    throw new FormatError(
      `a view of storage ${describe(whole.key)} by ${describe(view)} beyond its ${whole.total} elements`,
    );
  return new StorageRef(whole.key, whole.dtype, start, count, whole.total);
}
