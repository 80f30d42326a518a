"""Runs linear on tensors that begin where a caller's may, at any multiple of 16 bytes:

    python3 alignment.py LIBRARY cpu|cuda

prints the largest error of each against float64, in units of the largest number.
"""

import ctypes
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench' / 'peers'))
from morphmlp_ctypes import DEVICES, Library

ROWS, N, K = 5, 3, 4
library, device = Library(sys.argv[1]), DEVICES[sys.argv[2]]
random.seed(2)


def at(offset, values):
    """An array whose numbers begin so many bytes behind its memory."""
    made = library.empty(offset // 4 + len(values), device)
    made.data, made.length, made.bytes = made.data + offset, len(values), 4 * len(values)
    return made.write((ctypes.c_float * len(values))(*values))


def worst(offsets):
    x, weight = ([random.randint(-8, 8) / 4 for _ in range(n)] for n in (ROWS * K, N * K))
    wanted = [sum(x[r * K + i] * weight[c * K + i] for i in range(K)) for r in range(ROWS) for c in range(N)]
    y = at(offsets[2], [0.0] * (ROWS * N))
    given = {'rows': ROWS, 'n': N, 'k': K, 'gelu': False, 'x': at(offsets[0], x), 'weight': at(offsets[1], weight)}
    library.run('linear_forward', {**given, 'bias': None, 'y': y, 'z': None})
    errors = [abs(got - want) for got, want in zip(y.read(), wanted)]
    return max(errors) / max(map(abs, wanted)) if all(e == e for e in errors) else float('nan')


print(*[worst(offsets) for offsets in ((0, 0, 0), (16, 0, 0), (0, 32, 0), (0, 0, 144), (16, 16, 16))])
