/** Values of a pickle, as inert data: nothing is ever called, and no key of a file becomes a property. */
import type { DType } from '../dtypes';

/** Invalid contents of a file. The message says what was expected and where, without the file's name. */
export class FormatError extends Error {}

/** An unsupported object, which matters only if it is needed: the machine replaces it by a {@link PickleObject}. */
export class NotRead extends FormatError {}

/** Python's dict, OrderedDict, Counter or Namespace. */
export class PickleDict {
  readonly entries = new Map<PickleValue, PickleValue>();

  /** @param isNamespace whether attributes that the pickle sets are entries (argparse.Namespace) */
  constructor(readonly isNamespace = false) {}
}

/**
 * A placeholder for an object that is not read. If it is needed, `reason` is the error. Nothing of the object is constructed or
 * executed; items that the pickle sets (as in a defaultdict) are kept like those of a dict.
 */
export class PickleObject extends PickleDict {
  constructor(readonly reason: string) {
    super();
  }
}

/** Python's list or set. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

/** Python's tuple or torch.Size. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** The name of a constructor or constant. */
export class PickleGlobal {
  /** @param refusal the error if the global is needed and not on the allowlist in `globals.ts` */
  constructor(
    readonly name: string,
    readonly refusal?: string,
  ) {}
}

/** Part of a storage: `count` elements from element `start` of storage `key`. */
export class StorageRef {
  constructor(
    readonly key: string,
    readonly dtype: DType,
    readonly start: number,
    readonly count: number,
    /** Elements of the whole storage. */
    readonly total: number,
  ) {}
}

/** A strided view of a storage; offset and strides count elements. Checked to lie inside the storage. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly stride: readonly number[],
    readonly count: number,
    /** True if the values are the negated elements of the storage, as in a view of a conjugate's imaginary part. */
    readonly negative = false,
  ) {}
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleDict
  | PickleList
  | PickleTuple
  | PickleGlobal
  | StorageRef
  | TensorRef;

/** Short description of a value for error messages. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 37)}...` : value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof TensorRef) return `a tensor of shape [${value.shape}]`;
  return describeContainer(value);
}

function describeContainer(value: object): string {
  if (value instanceof PickleObject) return 'an object that is not read';
  if (value instanceof PickleDict) return `a dict of ${value.entries.size} entries`;
  if (value instanceof PickleList) return `a list of ${value.items.length} items`;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length} items`;
  return value instanceof StorageRef ? 'a storage' : 'bytes';
}
