/** The allowlist of globals and the inert data that they construct; objects of other classes become placeholders. */
import { numpyScalar } from './numpy_scalar';
import { rebuildTensor, STORAGE_TYPES } from './rebuild';
import { FormatError, NotRead, PickleDict, PickleGlobal, PickleList, PickleObject, PickleTuple } from './values';
import { TensorRef, describe } from './values';
import type { PickleValue } from './values';

type Constructor = (args: readonly PickleValue[], name: string) => PickleValue;

/** Types that occur as plain values, for example in a saved configuration. */
const CONSTANTS = new Set(
  ['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'].map(
    (name) => `torch.${name}`,
  ),
);

const CONSTRUCTORS = new Map<string, Constructor>([
  ['collections.OrderedDict', orderedDict],
  ['collections.Counter', counter],
  ['argparse.Namespace', namespace],
  ['torch.Size', only(PickleTuple)],
  ['torch.device', device],
  ['builtins.set', only(PickleList)],
  ['__builtin__.set', only(PickleList)],
  ['torch._utils._rebuild_tensor', (args) => rebuildTensor(args)],
  ['torch._utils._rebuild_tensor_v2', (args) => rebuildTensor(args)],
  ['torch._utils._rebuild_parameter', parameter],
  ['torch._utils._rebuild_parameter_with_state', parameter],
  ['torch._tensor._rebuild_from_type_v2', fromType],
  ['_codecs.encode', encode],
  ['numpy.dtype', (args) => new PickleTuple([...args])],
  ['numpy.core.multiarray.scalar', numpyScalar],
  ['numpy._core.multiarray.scalar', numpyScalar],
]);

/** Classes of tensors; a tensor with attributes is saved with its class. */
const TENSOR_CLASSES = new Set(['torch.Tensor', 'torch._tensor.Tensor', 'torch.nn.parameter.Parameter']);

/** @throws NotRead naming the global, unless it is on the allowlist */
export function requireKnown(name: string): void {
  if (CONSTRUCTORS.has(name) || STORAGE_TYPES.has(name) || CONSTANTS.has(name)) return;
  const advice = name.startsWith('torch.nn.') ? '; save model.state_dict() instead of the model' : '';
  throw new NotRead(
    `refuses the global ${name}: only tensors and plain containers are read, and nothing is run${advice}`,
  );
}

/**
 * The inert data for a constructor call.
 * @throws FormatError if a tensor does not fit its storage, {@link NotRead} for calls that PyTorch does not write
 */
export function construct({ name }: PickleGlobal, { items }: PickleTuple): PickleValue {
  const constructor = CONSTRUCTORS.get(name);
  if (!constructor) throw new FormatError(`calls ${name}, which is not a function`);
  return constructor(items, name);
}

function wrongCall(name: string, args: readonly PickleValue[]): never {
  throw new NotRead(`calls ${name} with (${args.slice(0, 4).map(describe).join(', ')})`);
}

/** A constructor that returns its only argument, of a given type, without a copy: a pickle can repeat a call cheaply. */
function only<T extends PickleValue & object>(type: new (...args: never[]) => T): Constructor {
  return (args, name) => {
    const [value] = args;
    return args.length === 1 && value instanceof type ? value : wrongCall(name, args);
  };
}

/** PyTorch writes OrderedDict() and sets its items one by one. */
function orderedDict(args: readonly PickleValue[], name: string): PickleValue {
  return args.length === 0 ? new PickleDict() : wrongCall(name, args);
}

function counter(args: readonly PickleValue[], name: string): PickleValue {
  return args.length === 0 ? new PickleDict() : only(PickleDict)(args, name);
}

/** DeiT's training script saves its arguments with the weights. */
function namespace(args: readonly PickleValue[], name: string): PickleValue {
  return args.length === 0 ? new PickleDict(true) : wrongCall(name, args);
}

function device(args: readonly PickleValue[], name: string): PickleValue {
  const [kind, index] = args;
  if (typeof kind !== 'string' || !/^[a-z]{1,16}$/.test(kind)) return wrongCall(name, args);
  return typeof index === 'number' ? `${kind}:${index}` : kind;
}

function parameter(args: readonly PickleValue[], name: string): PickleValue {
  const [data] = args;
  return data instanceof TensorRef || data instanceof PickleObject ? data : wrongCall(name, args);
}

/** A tensor with attributes: (rebuild function, class, arguments, attributes). */
function fromType(args: readonly PickleValue[], name: string): PickleValue {
  const [rebuild, type, data] = args;
  if (!(rebuild instanceof PickleGlobal && type instanceof PickleGlobal && data instanceof PickleTuple))
    return wrongCall(name, args);
  const refusal = rebuild.refusal ?? (TENSOR_CLASSES.has(type.name) ? undefined : type.refusal);
  if (refusal !== undefined) return new PickleObject(refusal);
  return rebuild.name.startsWith('torch._utils.') ? construct(rebuild, data) : wrongCall(name, args);
}

/** `_codecs.encode`: bytes in protocol 2. Refuses long ones, because a small file could repeat the call. */
function encode(args: readonly PickleValue[], name: string): PickleValue {
  const [text, encoding] = args;
  const valid = typeof text === 'string' && text.length <= 64 && encoding === 'latin1';
  return valid ? Buffer.from(text, 'latin1') : wrongCall(name, args);
}
