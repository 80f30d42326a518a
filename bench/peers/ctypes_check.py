"""Verifies every kernel of the C library (include/morphmlp.h), forward and backward, against float64 computed by PyTorch. With --time also
times it, PyTorch eager and torch.compile in interleaved rounds on the same tensors.

examples:
    ctypes_check.py
    ctypes_check.py --device cuda --out check.json
    ctypes_check.py --device cuda --time --clips 8 --out times.json
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from ctypes_kernels import CALLS
from ctypes_ops import MORE, OPS, Maker, network
from morphmlp_ctypes import DEVICES, Library, MorphmlpError

ROOT = Path(__file__).resolve().parents[2]
# Largest relative L2 errors: outputs, gradients.
LIMITS = {'forward': 1e-6, 'backward': 1e-5}


def error_of(got, want):
    """The larger of the relative L2 error and 1/20 of the largest elementwise error in units of the largest element, which a small L2 error
    can hide. Infinite if the shape differs or a value is NaN."""
    got, want = got.double(), want.to(got.device)
    if got.numel() != want.numel() or bool(got.isnan().any()):
        return math.inf
    off, norm, largest = got.reshape(want.shape) - want, float(want.norm()), float(want.abs().max())
    return max(float(off.norm()) / (norm or 1), float(off.abs().max()) / (largest or 1) / 20)


class Checker:
    def __init__(self, library, device, dtype):
        self.library, self.device, self.dtype = library, device, dtype
        self.results, self.ran = [], set()

    def stream(self):
        return torch.cuda.current_stream().cuda_stream if self.device == 'cuda' else 0

    def run(self, kernel, arguments):
        self.library.run(kernel, arguments, self.stream())
        self.ran.add(kernel)

    def note(self, kernel, sizes, what, got, want, limit):
        error = error_of(got, want)
        result = {'kernel': kernel, 'sizes': sizes, 'array': what, 'error': error, 'limit': limit, 'passed': error <= limit}
        self.results.append(result)
        if not result['passed']:
            print(f'FAILED {kernel} {sizes}: {what} differs from float64 by {error:.1e}, allowed {limit:.1e}')

    def call(self, name, call):
        """Checks a kernel and all its outputs. The expected value of a list argument (dweight) is a list."""
        self.run(call.kernel, call.arguments)
        pairs = list(call.arguments.items() if isinstance(call.arguments, dict) else call.arguments)
        limit = self.limit('backward' if 'backward' in call.kernel else 'forward')
        for what, want in call.wanted.items():
            found = [v for n, v in pairs if n == what]
            got = found[0] if isinstance(found[0], list) else found
            for i, (g, w) in enumerate(zip(got, want if isinstance(want, list) else [want])):
                self.note(call.kernel, name, what if len(got) == 1 else f'{what}[{i}]', g, w, limit)

    def limit(self, direction, peer_error=0.0):
        """The tolerance. f32: fixed. bf16: twice PyTorch's own error on the same tensors, at least half a unit of bf16."""
        return LIMITS[direction] if self.dtype == torch.float32 else max(2 * peer_error, 2**-9)

    def op(self, op, maker):
        leaves = [t.double().requires_grad_() for t in op.inputs.values()]
        exact = op.reference(*leaves)
        y = maker.empty(*exact.shape, dtype=op.output_dtype)
        self.run(op.forward, op.forward_arguments(y))
        peer = [t.to(self.dtype, copy=True).requires_grad_() for t in op.inputs.values()]
        peer_y = op.reference(*peer)
        self.note(op.forward, op.sizes, 'y', y, exact.detach(), self.limit('forward', error_of(peer_y.detach(), exact.detach())))
        if op.backward:
            self.backward(op, maker, exact, leaves, peer_y, peer)

    def backward(self, op, maker, exact, leaves, peer_y, peer):
        dy = maker.uniform(*exact.shape, dtype=op.output_dtype)
        of = [list(op.inputs).index(name) for name in op.gradients]
        wanted = torch.autograd.grad(exact, [leaves[i] for i in of], dy.double())
        theirs = torch.autograd.grad(peer_y, [peer[i] for i in of], dy.to(peer_y.dtype))
        got = {name: maker.like(op.inputs[name]) for name in op.gradients}
        self.run(op.backward, op.backward_arguments(dy, got))
        for name, want, their in zip(op.gradients, wanted, theirs):
            self.note(op.backward, op.sizes, f'd{name}', got[name], want, self.limit('backward', error_of(their, want)))


def check(library, device, dtype):
    """Checks every kernel at least once. Kernels without a bf16 version are reported; every kernel must have an f32 version."""
    checker, missing = Checker(library, device, dtype), []
    for make, sizes in [(op, {}) for op in OPS] + MORE:
        maker = Maker(device, dtype)
        try:
            checker.op(make(maker, **sizes), maker)
        except MorphmlpError as error:
            missing.append({'op': make.__name__, 'said': str(error)})
    for make in CALLS if dtype == torch.float32 else []:
        for call in make(Maker(device, dtype)):
            checker.call(make.__name__, call)
    if dtype == torch.float32:
        missing += [{'op': name, 'said': 'no check ran it'} for name in library.kernels() if name not in checker.ran]
    return checker.results, missing


class Timer:
    """Milliseconds of a function, by CUDA events or the clock."""

    def __init__(self, device):
        self.cuda = device == 'cuda'

    def time(self, run, repeats):
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            return (time.perf_counter() - start) * 1e3 / repeats
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / repeats


def backward_of(function, inputs, gradients, dy):
    leaves = [t.clone().requires_grad_(name in gradients) for name, t in inputs.items()]
    y, wanted = function(*leaves), [t for t in leaves if t.requires_grad]
    return lambda: torch.autograd.grad(y, wanted, dy, retain_graph=True)


def variants(library, op, maker, stream):
    """{direction: {peer: function}}. All peers use the same data in the element type of the tokens. A backward of PyTorch uses a graph
    built in advance."""
    shape = op.output or next(iter(op.inputs.values())).shape
    y, dy = maker.empty(*shape, dtype=op.output_dtype), maker.uniform(*shape, dtype=op.output_dtype)
    got = {name: maker.like(op.inputs[name]) for name in op.gradients}
    inputs = {name: t.to(maker.dtype) for name, t in op.inputs.items()}
    compiled = torch.compile(op.reference, dynamic=False)

    def forward_of(function):
        def run():
            with torch.no_grad():
                function(*inputs.values())
        return lambda: run

    def ours_of(kernel, arguments):
        return lambda: library.prepare(kernel, arguments, stream)

    ours = ours_of(op.forward, op.forward_arguments(y))
    ours()()  # the backward needs what it keeps
    found = {'forward': {'morphmlp': ours, 'eager': forward_of(op.reference), 'compile': forward_of(compiled)}}
    if op.backward:
        peers = {'eager': op.reference, 'compile': compiled}
        backward = {who: lambda f=f: backward_of(f, inputs, op.gradients, dy.to(maker.dtype)) for who, f in peers.items()}
        found['backward'] = {'morphmlp': ours_of(op.backward, op.backward_arguments(dy, got)), **backward}
    return found


def measure(makers, rounds, timer, budget_ms=20.0):
    """Medians over interleaved rounds. A peer that fails is reported, and the others are timed."""
    ready, said = {}, {}
    for who, make in makers.items():
        try:
            run = make()
            run()
            once = timer.time(run, 1)
            ready[who] = (run, max(1, min(200, int(budget_ms / max(once, 1e-3)))))
        except MorphmlpError:
            raise
        except Exception as error:  # torch.compile has many ways to fail, and none is ours
            said[who] = f'{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ""}'
    times = {who: [] for who in ready}
    for _ in range(rounds):
        for who, (run, repeats) in ready.items():
            times[who].append(timer.time(run, repeats))
    result = {who: {'median_ms': statistics.median(ms), 'ms': ms} for who, ms in times.items()}
    return {**result, **({'failed': said} if said else {})}


def timings(library, args, dtype):
    """Yields one record for each direction of an op at the network's sizes."""
    timer, stream = Timer(args.device), torch.cuda.current_stream().cuda_stream if args.device == 'cuda' else 0
    for make, sizes in network(args.clips):
        if args.op and make.__name__ not in args.op:
            continue
        torch.compiler.reset()
        maker = Maker(args.device, dtype)
        op = make(maker, **sizes)
        entry = {'op': op.name, 'sizes': op.sizes, 'dtype': str(dtype).removeprefix('torch.')}
        try:
            for direction, makers in variants(library, op, maker, stream).items():
                yield {**entry, 'direction': direction, **measure(makers, args.rounds, timer)}
        except MorphmlpError as error:
            yield {**entry, 'missing': str(error)}


def line_of(entry):
    if 'missing' in entry:
        return f'{entry["op"]} {entry["sizes"]} {entry["dtype"]}: {entry["missing"]}'
    ours = entry.get('morphmlp', {}).get('median_ms', math.nan)
    peers = [f'{who} {entry[who]["median_ms"] / ours:.2f}x' if who in entry else f'{who} failed' for who in ('eager', 'compile')]
    return f'{entry["op"]:14} {entry["direction"]:9} {entry["dtype"]:9} {entry["sizes"]}: {ours:.3f} ms; {", ".join(peers)} of it'


def machine(library, device):
    """Describes the machine."""
    found = {'device': library.device(DEVICES[device]), 'torch': torch.__version__, 'python': platform.python_version()}
    if device == 'cuda':
        found['torch_cuda'], found['gpu'] = torch.version.cuda, torch.cuda.get_device_name(0)
        query = 'driver_version,clocks.sm,clocks.mem,clocks.max.sm'
        smi = subprocess.run(['nvidia-smi', f'--query-gpu={query}', '--format=csv,noheader', '--id=0'], capture_output=True, text=True)
        found['smi'] = dict(zip(query.split(','), smi.stdout.strip().split(', ')))
    return found


def commit():
    """The commit, from the bundle's manifest or the git checkout."""
    manifest = ROOT / 'MANIFEST.json'
    if manifest.exists():
        return json.loads(manifest.read_text())['commit']
    found = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or None


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--library', default=os.environ.get('MORPHMLP_LIBRARY', ROOT / 'build/Release/libmorphmlp.so'), type=Path)
    parser.add_argument('--device', choices=DEVICES, default='cpu')
    parser.add_argument('--dtype', choices=('float32', 'bfloat16', 'both'), help='both on cuda, float32 on cpu')
    parser.add_argument('--time', action='store_true', help='also time, at the sizes of video S')
    parser.add_argument('--op', action='append', help='time only this op; may be repeated')
    parser.add_argument('--clips', type=int, default=1, help='batch size for timing, in clips')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--threads', type=int, help='CPU threads, for the library and PyTorch')
    parser.add_argument('--out', type=Path, help='write all figures as JSON')
    return parser.parse_args()


def prepare(args):
    if not args.library.exists():
        sys.exit(f'ctypes_check: {args.library} is not there: npm run build:native makes it, ./run build in a bundle')
    library = Library(args.library)
    try:
        library.device(DEVICES[args.device])
    except MorphmlpError as error:
        sys.exit(f'ctypes_check: {error}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        sys.exit('ctypes_check: this PyTorch sees no CUDA device')
    if args.threads:
        library.set_threads(args.threads)
        torch.set_num_threads(args.threads)
    # f32 means f32 for the peers too, not TF32.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return library


def write(report, out):
    """Writes the file after each step, so that an interrupted run keeps its results."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + '\n')


def summary(dtype, results, missing):
    wrong = [r for r in results if not r['passed']]
    worst = max(results, key=lambda r: r['error'] / r['limit'], default=None)
    words = f'; nearest to its limit, or worst: {worst["kernel"]} {worst["array"]} with {worst["error"]:.1e}' if worst else ''
    print(f'{dtype}: {len(results)} arrays of {len({r["kernel"] for r in results})} kernels checked, {len(wrong)} wrong{words}')
    for m in missing:
        print(f'  not there: {m["op"]}: {m["said"]}')
    return len(wrong)


def main():
    args = parse()
    library = prepare(args)
    wanted = args.dtype or ('both' if args.device == 'cuda' else 'float32')
    dtypes = [torch.float32, torch.bfloat16] if wanted == 'both' else [getattr(torch, wanted)]
    report, failed = {'commit': commit(), 'machine': machine(library, args.device), 'checks': {}, 'times': []}, 0
    for dtype in dtypes:
        name = str(dtype).removeprefix('torch.')
        results, missing = check(library, args.device, dtype)
        report['checks'][name] = {'results': results, 'missing': missing}
        failed += summary(name, results, missing) + (len(missing) if dtype == torch.float32 else 0)
        write(report, args.out)
        for entry in timings(library, args, dtype) if args.time else []:
            print(line_of(entry), flush=True)
            report['times'].append(entry)
            write(report, args.out)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
