"""Calls the C library of the kernels (include/morphmlp.h) from Python without PyTorch, rightly and wrongly:

    python3 c_api.py LIBRARY cpu|cuda

prints {kernels, checks, problems} as JSON. A mistake in the library is a crash of this process.
"""

import ctypes
import json
import math
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench' / 'peers'))
from morphmlp_ctypes import CPU, CUDA, DEVICES, FLAG, I32, INTEGER, LIST, TENSOR, Argument, Library, MorphmlpError
from morphmlp_ctypes import relative_error

library = Library(sys.argv[1])
device = DEVICES[sys.argv[2]]
checks, problems = [], []
random.seed(1)


def uniform(n, scale=1.0, offset=0.0):
    """Numbers that f32 holds exactly, so that float64 computes from the same."""
    return [ctypes.c_float(random.uniform(-scale, scale) + offset).value for _ in range(n)]


def put(values):
    return library.array(values, device)


def empty(n):
    return library.empty(n, device)


def agrees(what, arrays, wanted, limit):
    for name, values in wanted.items():
        error = relative_error(arrays[name].read(), values)
        checks.append(f'{what} {name}')
        if not error <= limit:
            problems.append(f'{what}: {name} differs from float64 by {error:.1e}, allowed {limit:.0e}')


def check(kernel, given, wanted, limit=1e-6):
    """Runs a kernel and holds the outputs named in `wanted` to float64. `given` names each argument once."""
    library.run(kernel, given)
    sizes = [v for v in given.values() if isinstance(v, int)]
    agrees(f'{kernel}{sizes}', given, wanted, limit)


# -- the ops in float64 --


def phi(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def gelu(n):
    x, dy = uniform(n, 4), uniform(n)
    check('gelu_forward', {'n': n, 'x': put(x), 'y': empty(n)}, {'y': [v * phi(v) for v in x]})
    slope = [phi(v) + v * math.exp(-v * v / 2) / math.sqrt(2 * math.pi) for v in x]
    dx = [d * s for d, s in zip(dy, slope)]
    check('gelu_backward', {'n': n, 'x': put(x), 'dy': put(dy), 'dx': empty(n)}, {'dx': dx}, 1e-5)


def layer_norm(rows, cols):
    x, dy = uniform(rows * cols), uniform(rows * cols)
    gamma, beta = uniform(cols, 0.2, 1), uniform(cols, 0.1)
    row = [x[i * cols:(i + 1) * cols] for i in range(rows)]
    mean = [math.fsum(r) / cols for r in row]
    rstd = [1 / math.sqrt(math.fsum((v - m) ** 2 for v in r) / cols + 1e-5) for r, m in zip(row, mean)]
    normed = [[(v - m) * s for v in r] for r, m, s in zip(row, mean, rstd)]
    y = [v * g + b for r in normed for v, g, b in zip(r, gamma, beta)]
    dx = []
    for i, r in enumerate(normed):
        t = [d * g for d, g in zip(dy[i * cols:], gamma)]
        a, b = math.fsum(t) / cols, math.fsum(u * v for u, v in zip(t, r)) / cols
        dx += [rstd[i] * (u - a - v * b) for u, v in zip(t, r)]
    dgamma = [math.fsum(dy[i * cols + c] * normed[i][c] for i in range(rows)) for c in range(cols)]
    dbeta = [math.fsum(dy[i * cols + c] for i in range(rows)) for c in range(cols)]
    kept = {'mean': empty(rows), 'rstd': empty(rows)}
    sizes = {'rows': rows, 'cols': cols}
    forward = {**sizes, 'eps': 1e-5, 'x': put(x), 'gamma': put(gamma), 'beta': put(beta), 'y': empty(rows * cols), **kept}
    check('layer_norm_forward', forward, {'y': y, 'rstd': rstd})
    gradients = {'dx': empty(rows * cols), 'dgamma': empty(cols), 'dbeta': empty(cols)}
    backward = {**sizes, 'x': put(x), 'gamma': put(gamma), **kept, 'dy': put(dy), **gradients}
    check('layer_norm_backward', backward, {'dx': dx, 'dgamma': dgamma, 'dbeta': dbeta}, 1e-5)


def product(x, w, bias, rows, n, k):
    """x [rows, k] times w [n, k] transposed, plus the bias."""
    return [math.fsum(x[r * k + j] * w[o * k + j] for j in range(k)) + bias[o] for r in range(rows) for o in range(n)]


def product_gradients(x, w, dy, rows, n, k):
    dx = [math.fsum(dy[r * n + o] * w[o * k + j] for o in range(n)) for r in range(rows) for j in range(k)]
    dw = [math.fsum(dy[r * n + o] * x[r * k + j] for r in range(rows)) for o in range(n) for j in range(k)]
    return dx, dw, [math.fsum(dy[r * n + o] for r in range(rows)) for o in range(n)]


def linear(rows, n, k, with_bias):
    x, w, dy = uniform(rows * k), uniform(n * k, 0.5), uniform(rows * n)
    bias = uniform(n) if with_bias else None
    z = product(x, w, bias or [0.0] * n, rows, n, k)
    sizes = {'rows': rows, 'n': n, 'k': k}
    from_ = {'x': put(x), 'weight': put(w)}
    forward = {**sizes, 'gelu': True, **from_, 'bias': put(bias) if bias else None, 'y': empty(rows * n), 'z': empty(rows * n)}
    check('linear_forward', forward, {'y': [v * phi(v) for v in z], 'z': z})
    dx, dw, db = product_gradients(x, w, dy, rows, n, k)
    gradients = {'dx': empty(rows * k), 'dweight': empty(n * k), 'dbias': empty(n) if bias else None}
    wanted = {'dx': dx, 'dweight': dw, **({'dbias': db} if bias else {})}
    check('linear_backward', {**sizes, **from_, 'dy': put(dy), **gradients}, wanted, 1e-5)


def morph_places(frames, height, width, channels, chunk, vertical, strided):
    """Where in x each number of the FC's rows lies; None for padding."""
    tokens, run = height * width, channels // chunk
    chunks = -(-tokens // chunk)
    for frame in range(frames):
        for j in range(chunks):
            for g in range(chunk):
                for l in range(chunk):
                    n = l * chunks + j if strided else j * chunk + l
                    token = (n % height) * width + n // height if vertical else n
                    for s in range(run):
                        yield (frame * tokens + token) * channels + g * run + s if n < tokens else None


def morph_fc(frames, height, width, channels, chunk, vertical, strided):
    places = list(morph_places(frames, height, width, channels, chunk, vertical, strided))
    size, rows = frames * height * width * channels, len(places) // channels
    x, w, bias, dy = uniform(size), uniform(channels * channels, 0.5), uniform(channels), uniform(size)
    gather = lambda values: [0.0 if p is None else values[p] for p in places]

    def scatter(values):
        out = [math.nan] * size
        for p, v in zip(places, values):
            if p is not None:
                out[p] = v
        return out

    sizes = {
        'frames': frames, 'height': height, 'width': width, 'channels': channels, 'chunk': chunk, 'groups': chunk,
        'vertical': vertical, 'strided': strided,
    }
    from_ = {**sizes, 'x': put(x), 'weight': put(w)}
    y = scatter(product(gather(x), w, bias, rows, channels, channels))
    check('morph_fc_forward', {**from_, 'bias': put(bias), 'y': empty(size)}, {'y': y})
    dx, dw, db = product_gradients(gather(x), w, gather(dy), rows, channels, channels)
    gradients = {'dx': empty(size), 'dweight': empty(channels * channels), 'dbias': empty(channels)}
    wanted = {'dx': scatter(dx), 'dweight': dw, 'dbias': db}
    check('morph_fc_backward', {**from_, 'dy': put(dy), **gradients}, wanted, 1e-5)


def adamw(lengths):
    """Lists of tensors; the second step, from moments that are not zero."""
    p, g, m, v = ([uniform(n) for n in lengths] for _ in range(4))
    v = [[abs(value) for value in values] for values in v]
    lr, beta1, beta2, eps, decay = (ctypes.c_float(value).value for value in (1e-2, 0.9, 0.99, 1e-8, 0.1))
    want = []
    for ps, gs, ms, vs in zip(p, g, m, v):
        first = [beta1 * a + (1 - beta1) * b for a, b in zip(ms, gs)]
        second = [beta2 * a + (1 - beta2) * b * b for a, b in zip(vs, gs)]
        step = [lr / (1 - beta1**2) * a / (math.sqrt(b) / math.sqrt(1 - beta2**2) + eps) for a, b in zip(first, second)]
        want.append([a * (1 - lr * decay) - s for a, s in zip(ps, step)])
    arrays = [[put(values) for values in kind] for kind in (p, g, m, v)]
    settings = {'lr': lr, 'beta1': beta1, 'beta2': beta2, 'eps': eps, 'decay': decay, 'step': 2}
    library.run('adamw_step', {**settings, **dict(zip(('parameters', 'gradients', 'first', 'second'), arrays)), 'numbers': None})
    agrees('adamw_step', dict(enumerate(arrays[0])), dict(enumerate(want)), 1e-6)


# -- the library used wrongly --


def refused(what, pattern, run):
    checks.append(what)
    try:
        run()
        problems.append(f'{what}: accepted')
    except MorphmlpError as error:
        if not re.search(pattern, str(error)):
            problems.append(f'{what}: said "{error}", expected {pattern}')


def raw(kernel, arguments, count=None):
    """A call with the arguments as they are."""
    block = (Argument * max(1, len(arguments)))(*arguments)
    name = kernel.encode() if kernel is not None else None
    return lambda: library.check(library.c.morphmlp_run(name, block, len(arguments) if count is None else count, None))


def gelu_call(x=None, y=None, n=None):
    """gelu_forward of four numbers, with what is given in place of the right argument."""
    given = {b'x': put([1.0] * 4), b'y': put([0.0] * 4)}
    good = lambda name: Argument(name, TENSOR, 0, device, 4, 0, given[name].data)
    return raw('gelu_forward', [n or Argument(b'n', INTEGER, integer=4), x or good(b'x'), y or good(b'y')])


def tensor(data, length=4, dtype=0, on=None):
    return Argument(None, TENSOR, dtype, device if on is None else on, length, 0, data)


def misuse():
    four = put([1.0] * 4)
    refused('a null pointer', 'gelu_forward: argument x: expected 4 x f32, got a null pointer', gelu_call(x=tensor(None)))
    refused('a null pointer to write to', 'argument y: .*a null pointer', gelu_call(y=tensor(None)))
    refused('too few elements', 'argument x: expected 4 x f32, got 3 x f32 on', gelu_call(x=tensor(four.data, 3)))
    refused('too many elements', 'argument y: expected 4 x f32, got 5 x f32 on', gelu_call(y=tensor(four.data, 5)))
    refused('a negative length', 'argument x: .*a tensor of -4 elements', gelu_call(x=tensor(four.data, -4)))
    refused('another dtype', 'argument x: expected 4 x f32, got 4 x i32', gelu_call(x=tensor(four.data, dtype=I32)))
    refused('an unknown dtype', 'argument x: .*unknown dtype 9', gelu_call(x=tensor(four.data, dtype=9)))
    refused('an unknown device', 'device 7 is neither', gelu_call(x=tensor(four.data, on=7)))
    refused('an odd pointer', r'argument x: .*not aligned to \d+ bytes', gelu_call(x=tensor(four.data + 2)))
    refused('a number for a tensor', 'argument x: .*the number 3', gelu_call(x=Argument(None, INTEGER, integer=3)))
    refused('a list for a tensor', 'argument x: .*an array of 0', gelu_call(x=Argument(None, LIST)))
    refused('an unknown kind', 'argument x: .*unknown kind 12', gelu_call(x=Argument(None, 12)))
    refused('another name', 'argument x: .*an argument named y', gelu_call(x=Argument(b'y', TENSOR, 0, device, 4, 0, four.data)))
    refused('a negative size', 'argument n: expected a size of 0 or more', gelu_call(n=Argument(None, INTEGER, integer=-1)))
    refused('a size beyond 2^53', 'argument n: expected an integer', gelu_call(n=Argument(None, INTEGER, integer=2**60)))
    refused('a flag for a size', 'argument n: expected an integer, got a boolean', gelu_call(n=Argument(None, FLAG, integer=1)))
    refused('too few arguments', 'too few arguments', raw('gelu_forward', [Argument(None, INTEGER, integer=4)]))
    refused('no arguments', 'too few arguments', raw('gelu_forward', []))
    refused('a negative count', 'a number of arguments, got -1', raw('gelu_forward', [], -1))
    refused('an unknown kernel', 'there is no kernel named gelu_sideways', raw('gelu_sideways', []))
    refused('no name', 'the name of a kernel, got a null pointer', raw(None, []))
    refused('an array that is not there', '3 arguments, got a null pointer',
            lambda: library.check(library.c.morphmlp_run(b'gelu_forward', None, 3, None)))
    refused('a list that is not there', 'argument gradients: .*a null pointer',
            raw('grad_norm_scale', [Argument(None, 2, real=1), Argument(None, LIST, integer=2)]))
    refused('sizes that do not fit', 'linear_forward: argument x: expected 6 x f32, got 4 x f32',
            lambda: library.run('linear_forward', [('rows', 2), ('n', 2), ('k', 3), ('gelu', False), ('x', four)]))
    refused('rows of a size no integer holds', 'at most 2.53 elements',
            lambda: library.run('linear_forward', [('rows', 2**40), ('n', 2), ('k', 2**40), ('gelu', False), ('x', four)]))
    refused('an index outside', 'index 9 at position 0 is outside 0 to 1', lambda: library.run('index_rows_forward', {
        'rows': 2, 'width': 2, 'taken': 2, 'x': four, 'index': library.array([9, 0], device, I32), 'y': empty(4)}))
    eight = put([1.0] * 8)
    for offset in (-12, 0, 12):
        refused(f'an output {offset} bytes behind an input', 'argument y, which is written, overlaps argument x',
                gelu_call(x=tensor(eight.data + 16), y=tensor(eight.data + 16 + offset))) if device == CPU else None
    gelu_call(x=tensor(eight.data), y=tensor(eight.data + 16))()  # side by side
    refused('no threads', '1', lambda: library.set_threads(0))
    refused('bf16 that the op does not have', 'argument x: expected', lambda: library.run('max_forward', [
        ('outer', 1), ('n', 4), ('inner', 1), ('x', Bf16(four))])) if device == CPU else None
    if device == CUDA:
        host = (ctypes.c_float * 64)()
        aligned = -(-ctypes.addressof(host) // 16) * 16
        refused('a host pointer', 'a pointer that is not device memory', gelu_call(x=tensor(aligned)))
        refused('two devices', 'argument y: expected a buffer on cuda, got 4 x f32 on cpu', gelu_call(y=tensor(aligned, on=CPU)))
    gelu_call()()  # after all that it still works


class Bf16:
    """A tensor that says it holds bf16."""

    def __init__(self, array):
        self.array, self.dtype = array, 'torch.bfloat16'
        self.device = type('Device', (), {'type': 'cpu'})

    def data_ptr(self):
        return self.array.data

    def numel(self):
        return self.array.length

    def is_contiguous(self):
        return True


def main():
    for n in (1, 7, 1000):
        gelu(n)
    for rows, cols in ((1, 1), (3, 5), (17, 37)):
        layer_norm(rows, cols)
    for shape in ((1, 1, 1, True), (5, 3, 7, False), (37, 29, 31, True)):
        linear(*shape)
    for shape in ((1, 2, 2, 4, 4), (2, 3, 3, 8, 4), (1, 5, 4, 21, 7)):
        for vertical, strided in ((False, False), (True, False), (False, True)):
            morph_fc(*shape, vertical, strided)
    adamw([1, 7, 300])
    misuse()
    print(json.dumps({
        'kernels': library.kernels(), 'device': library.device(device), 'checks': len(checks), 'problems': problems,
    }))


def without():
    """Where there is no GPU: the same words from every door."""
    for run in (lambda: library.device(CUDA), lambda: library.allocate(CUDA, 4), lambda: library.synchronize(CUDA),
                raw('gelu_forward', [Argument(None, INTEGER, integer=1), tensor(16, 1, on=CUDA), tensor(16, 1, on=CUDA)])):
        refused('cuda', '^no CUDA device: ', run)
    print(json.dumps({'checks': len(checks), 'problems': problems}))


without() if sys.argv[3:] == ['absent'] else main()
