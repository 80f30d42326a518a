"""The kernels of morphmlp for Python: ctypes over include/morphmlp.h. Needs only the library.

    library = Library('build/Release/libmorphmlp.so')
    library.run('gelu_forward', {'n': x.numel(), 'x': x, 'y': y})

The arguments of a kernel are those of native/ops/<op>.def, in any order (kernel_arguments.py has theirs). An int, a float and a bool are
sizes, numbers and flags; a tensor is one of PyTorch (of the CPU or CUDA), an array of ctypes, or an `Array` of this file; None is a tensor
that is not there; a list of tensors is one argument; a tuple is as many arguments of one name: {'weight': (w0, w1), 'bias': (b0, b1)}.
Pairs may replace the dictionary: they are passed unchanged.
"""

import ctypes
import math
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_void_p

from kernel_arguments import KERNELS

VERSION = 1
NONE, INTEGER, REAL, FLAG, TENSOR, LIST = range(6)
CPU, CUDA = 0, 1
DEVICES = {'cpu': CPU, 'cuda': CUDA}
F32, BF16, I32, U8 = range(4)
DTYPES = {'float32': F32, 'bfloat16': BF16, 'int32': I32, 'uint8': U8}
CTYPES = {F32: ctypes.c_float, I32: ctypes.c_int32, U8: ctypes.c_uint8}


class Argument(ctypes.Structure):
    """morphmlp_argument."""

    _fields_ = [
        ('name', c_char_p), ('kind', c_int32), ('dtype', c_int32), ('device', c_int32), ('integer', c_int64), ('real', c_double),
        ('data', c_void_p),
    ]


class MorphmlpError(RuntimeError):
    """An error with the text of morphmlp_last_error."""


def from_torch(t):
    if not t.is_contiguous():
        raise ValueError(f'expected a contiguous tensor, got strides {t.stride()} for the shape {tuple(t.shape)}')
    name = str(t.dtype).removeprefix('torch.')
    if name not in DTYPES:
        raise ValueError(f'expected a tensor of {", ".join(DTYPES)}, got {name}')
    return t.data_ptr(), t.numel(), DTYPES[name], DEVICES[t.device.type]


def from_ctypes(array):
    dtype = next((d for d, kind in CTYPES.items() if array._type_ is kind), None)
    if dtype is None:
        raise ValueError(f'expected an array of c_float, c_int32 or c_uint8, got one of {array._type_.__name__}')
    return ctypes.addressof(array), len(array), dtype, CPU


def is_tensor(value):
    return isinstance(value, (Array, ctypes.Array)) or hasattr(value, 'data_ptr')


def tensor_argument(name, value):
    if isinstance(value, Array):
        data, length, dtype, device = value.data, value.length, value.dtype, value.device
    else:
        data, length, dtype, device = from_ctypes(value) if isinstance(value, ctypes.Array) else from_torch(value)
    return Argument(name, TENSOR, dtype, device, length, 0, data)


def argument(name, value):
    """Creates one Argument. The array of a list argument keeps its items alive."""
    name = name.encode() if name else None
    if value is None:
        return Argument(name, NONE)
    if isinstance(value, bool):
        return Argument(name, FLAG, integer=int(value))
    if isinstance(value, int):
        return Argument(name, INTEGER, integer=value)
    if isinstance(value, float):
        return Argument(name, REAL, real=value)
    if isinstance(value, list):
        items = (Argument * len(value))(*(tensor_argument(None, item) for item in value))
        made = Argument(name, LIST, integer=len(value), data=ctypes.addressof(items))
        made.items = items
        return made
    if is_tensor(value):
        return tensor_argument(name, value)
    raise TypeError(f'{name}: expected a number, a tensor, a list or None, got {type(value).__name__}')


def in_order(kernel, given):
    """A dictionary as pairs in the kernel's order; unchanged if the names differ from the kernel's, so that the library refuses them."""
    groups = [group if isinstance(group, tuple) else (group,) for group in KERNELS.get(kernel, ())]
    if {name for group in groups for name in group} != set(given):
        return list(given.items())
    pairs = []
    for group in groups:
        values = [given[name] if isinstance(given[name], tuple) else (given[name],) for name in group]
        pairs += [(name, value) for turn in zip(*values) for name, value in zip(group, turn)]
    return pairs


def arguments(kernel, given):
    pairs = in_order(kernel, given) if isinstance(given, dict) else given
    return [argument(n, v) for n, value in pairs for v in (value if isinstance(value, tuple) else (value,))]


class Array:
    """Memory of the library on a device, for callers without PyTorch. Initially NaN (all bits 1)."""

    def __init__(self, library, device, length, dtype=F32):
        self.library, self.device, self.length, self.dtype = library, device, length, dtype
        self.bytes = length * ctypes.sizeof(CTYPES[dtype])
        self.data = library.allocate(device, self.bytes)
        self.write((ctypes.c_uint8 * self.bytes)(*([255] * self.bytes)))

    def write(self, host):
        self.library.write(self.device, self.data, host, self.bytes)
        return self

    def read(self):
        host = (CTYPES[self.dtype] * self.length)()
        self.library.read(self.device, host, self.data, self.bytes)
        return list(host)

    def free(self):
        self.library.release(self.device, self.data, self.bytes)
        self.data = None


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        for name in ('morphmlp_last_error', 'morphmlp_kernel_name', 'morphmlp_device'):
            getattr(self.c, name).restype = c_char_p
        self.c.morphmlp_allocate.restype = c_void_p
        self.c.morphmlp_allocate.argtypes = [c_int32, c_size_t]
        self.c.morphmlp_release.argtypes = [c_int32, c_void_p, c_size_t]
        self.c.morphmlp_write.argtypes = self.c.morphmlp_read.argtypes = [c_int32, c_void_p, c_void_p, c_size_t]
        self.c.morphmlp_run.argtypes = [c_char_p, POINTER(Argument), c_int32, c_void_p]
        if self.c.morphmlp_api_version() != VERSION:
            raise MorphmlpError(f'{path}: expected version {VERSION} of morphmlp.h, got {self.c.morphmlp_api_version()}')

    def last_error(self):
        return self.c.morphmlp_last_error().decode()

    def check(self, status):
        if status != 0:
            raise MorphmlpError(self.last_error())

    def kernels(self):
        """The names of all kernels."""
        names = []
        while name := self.c.morphmlp_kernel_name(len(names)):
            names.append(name.decode())
        return names

    def device(self, device):
        """Describes the device; raises if it is unavailable."""
        words = self.c.morphmlp_device(device)
        self.check(0 if words else 1)
        return words.decode()

    def prepare(self, kernel, given, stream=0):
        """A function that runs the kernel, for repeated calls. It keeps the tensors alive."""
        made = arguments(kernel, given)
        block, name = (Argument * len(made))(*made), kernel.encode()

        def run():
            if self.c.morphmlp_run(name, block, len(made), stream or None) != 0:
                raise MorphmlpError(self.last_error())

        run.tensors = given
        return run

    def run(self, kernel, given, stream=0):
        """Runs a kernel. `stream` is the number of a CUDA stream (torch.cuda.current_stream().cuda_stream)."""
        self.prepare(kernel, given, stream)()

    def set_threads(self, threads):
        self.check(self.c.morphmlp_set_threads(threads))

    def allocate(self, device, size):
        data = self.c.morphmlp_allocate(device, size)
        self.check(0 if data else 1)
        return data

    def release(self, device, data, size):
        self.check(self.c.morphmlp_release(device, data, size))

    def write(self, device, to, host, size):
        self.check(self.c.morphmlp_write(device, to, byref(host), size))

    def read(self, device, host, data, size):
        self.check(self.c.morphmlp_read(device, byref(host), data, size))

    def synchronize(self, device):
        self.check(self.c.morphmlp_synchronize(device))

    def array(self, values, device=CPU, dtype=F32):
        values = list(values)
        return Array(self, device, len(values), dtype).write((CTYPES[dtype] * len(values))(*values))

    def empty(self, length, device=CPU, dtype=F32):
        return Array(self, device, length, dtype)


def relative_error(got, want):
    """Relative L2 error; infinite if the lengths differ or a value is NaN."""
    if len(got) != len(want) or any(map(math.isnan, got)):
        return math.inf
    norm = math.sqrt(sum(w * w for w in want))
    return math.sqrt(sum((g - w) ** 2 for g, w in zip(got, want))) / (norm or 1)
