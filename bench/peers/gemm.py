"""Times y = x wT in fp32 with the libraries that are found: MKL and oneDNN (through PyTorch), OpenBLAS and BLIS (Debian's
libopenblas0-pthread and libblis4-pthread, through ctypes). Reads `setup ROWS N K`, `run LIBRARY` and `quit` from stdin, one a
line, and answers each with one JSON line. Every library's result is verified against float64 before it is timed."""
import argparse
import ctypes
import ctypes.util
import glob
import json
import sys
import time

import torch
from torch.utils import mkldnn

ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112


def find(pattern):
    found = sorted(glob.glob(f"/usr/lib/*/*/{pattern}"))
    return ctypes.CDLL(found[0]) if found else None


def cblas(library, x, w, y):
    (rows, k), n = x.shape, w.shape[0]
    sgemm = library.cblas_sgemm
    sgemm.restype = None
    pointers = [ctypes.c_void_p(t.data_ptr()) for t in (x, w, y)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)

    def run():
        sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, rows, n, k, one, pointers[0], k, pointers[1], k, zero, pointers[2], n)
        return y

    return run


def runners(x, w, threads):
    y = torch.empty(x.shape[0], w.shape[0])
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False).eval()
    layer.weight.data.copy_(w)
    onednn, packed = mkldnn.to_mkldnn(layer), x.to_mkldnn()
    found = {"mkl": lambda: torch.mm(x, w.t(), out=y)}
    found["onednn"] = lambda: onednn(packed)
    openblas, blis = find("libopenblas.so.0"), find("libblis.so.4")
    if openblas:
        openblas.openblas_set_num_threads(threads)
        found["openblas"] = cblas(openblas, x, w, y)
    if blis:
        blis.bli_thread_set_num_threads(ctypes.c_long(threads))
        found["blis"] = cblas(blis, x, w, y)
    return found


def check(name, result, x, w):
    result = result.to_dense() if result.is_mkldnn else result
    exact = x.double() @ w.double().t()
    error = ((result.double() - exact).norm() / exact.norm()).item()
    if not error <= 1e-6:
        raise RuntimeError(f"{name}: the result differs from float64 by {error}")


def setup(rows, n, k, threads):
    torch.manual_seed(0)
    x, w = torch.rand(rows, k) * 2 - 1, torch.rand(n, k) * 2 - 1
    found = runners(x, w, threads)
    for name, run in found.items():
        check(name, run(), x, w)
        run()
    return found


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    found = {}
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "quit":
            return
        try:
            if verb == "setup":
                found = setup(*map(int, rest), threads)
                answer = {"libraries": list(found)}
            else:
                start = time.perf_counter()
                found[rest[0]]()
                answer = {"ms": (time.perf_counter() - start) * 1e3}
        except Exception as error:  # the caller prints it and goes on
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main()
