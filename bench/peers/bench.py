"""Times the PyTorch peer: forward (eval) and training step (forward, soft cross entropy, backward, AdamW).

usage: bench.py [--threads N] [--reps N] [--cases 'video-s-16 forward 1,...']   each case in a fresh process
       bench.py --serve [--threads N]                                           one timed repetition per request
each with [--device cpu|cuda] [--precision f32|bf16] [--compile]

A case is 'VARIANT forward|train BATCH'. Answers are JSON lines on stdout. Requests of the server, one per line:
  setup CASE   builds the model, verifies it against float64 and warms up     run CASE    one timed repetition
  output CASE  logits of the common input, before any step                    drop CASE   frees it     quit
  peak CASE    peak memory: of the process, or on a GPU of tensors

In bf16 a forward pass uses a model with bf16 weights, the fastest way in PyTorch; a training step uses autocast with float32 weights.
--compile times torch.compile; its forward passes are compiled with freezing, which folds and packs the weights.
In f32 GEMMs are computed in f32 (no TF32), like ours.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
import warnings

warnings.filterwarnings('ignore', message='Failed to initialize NumPy')
import torch
import torch._inductor.config
from torch import nn

from morphmlp_torch import VARIANTS, MorphMLP, soft_cross_entropy, variant_config
from values import fill, soft_targets, value

CASES = (
    'video-s-16 forward 1', 'video-b-16 forward 1', 'image-s forward 8', 'image-t forward 16',
    'video-s-16 train 1', 'video-s-16 train 2', 'image-s train 8',
)
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-1}


def parse_case(text):
    """'video-s-16 forward 1' -> (variant, work, batch)."""
    parts = text.split()
    if len(parts) != 3 or parts[0] not in VARIANTS or parts[1] not in ('forward', 'train') or not parts[2].isdecimal():
        raise ValueError(f"expected 'VARIANT forward|train BATCH' with a variant of {', '.join(VARIANTS)}, got '{text}'")
    return parts[0], parts[1], int(parts[2])


def peak_mb(terms):
    """Peak memory of this process alone (getrusage would include the parent's), or of the tensors on the GPU."""
    if terms.device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) / 1024


def count_gmacs(model, x):
    """Multiply-adds of the FCs and convolutions of one eval forward, in 1e9."""
    total = 0

    def count(module, _, y):
        nonlocal total
        weight = module.weight
        total += y.numel() * (module.in_features if isinstance(module, nn.Linear) else weight[0].numel())

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv3d))]
    with torch.inference_mode():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    return total / 1e9


class Terms:
    """Options of all cases of a process."""

    def __init__(self, device='cpu', dtype=torch.float32, compiled=False, graphs=False):
        self.device, self.dtype, self.compiled, self.graphs = device, dtype, compiled, graphs


def compiled(model, work, graphs=False):
    """torch.compile of a model, on request replayed as CUDA graphs; in forward passes with frozen weights."""
    torch._inductor.config.freezing = work == 'forward'
    return torch.compile(model, mode='reduce-overhead' if graphs else None)


class Case:
    """A model with weights from values.py, the common input 'bench.x' and targets 'bench.t'."""

    def __init__(self, text, terms=Terms()):
        self.text, self.terms = text, terms
        variant, self.work, batch = parse_case(text)
        config = variant_config(variant)
        self.autocast = terms.dtype == torch.bfloat16 and self.work == 'train'
        stored = torch.float32 if self.autocast else terms.dtype
        self.model = fill(MorphMLP(config)).to(terms.device, stored)
        self.network = compiled(self.model, self.work, terms.graphs) if terms.compiled else self.model
        self.x = value('bench.x', (batch, 3, config['frames'], 224, 224)).to(terms.device, stored)
        self.targets = soft_targets('bench.t', batch, config['num_classes']).to(terms.device, stored)
        # fused is the fastest AdamW on a CPU, where the default loops over parameters
        decay = [p for p in self.model.parameters() if p.dim() > 1]
        rest = [p for p in self.model.parameters() if p.dim() <= 1]
        groups = [{'params': decay, 'weight_decay': 0.05}, {'params': rest, 'weight_decay': 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True) if self.work == 'train' else None

    def forward(self):
        self.model.eval()
        with torch.inference_mode():
            return self.network(self.x)

    def train_logits(self):
        self.model.train()
        with torch.autocast(self.terms.device, torch.bfloat16, enabled=self.autocast):
            return self.network(self.x)

    def step(self):
        loss = soft_cross_entropy(self.train_logits().to(self.targets.dtype), self.targets)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def output(self):
        """Logits with the initial weights, for training with batch statistics. Call it before any step."""
        if self.work == 'forward':
            return self.forward().tolist()
        logits = self.train_logits().tolist()  # with a graph, so that torch.compile compiles a training step once
        fill(self.model)  # puts the running statistics back
        return logits

    def run(self):
        start = time.perf_counter()
        self.forward() if self.work == 'forward' else self.step()
        if self.terms.device == 'cuda':
            torch.cuda.synchronize()
        return (time.perf_counter() - start) * 1e3


def oracle_output(text, threads, terms=Terms()):
    """The same output in float64, computed in another process so that its memory does not count here."""
    command = [sys.executable, __file__, '--oracle', text, '--threads', str(threads), '--device', terms.device]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def relative_error(got, want):
    got, want = torch.tensor(got, dtype=torch.float64), torch.tensor(want, dtype=torch.float64)
    if got.shape != want.shape or bool(got.isnan().any()):
        return math.inf
    return float((got - want).norm() / want.norm())


def prepare(text, threads, terms, warmup=2):
    """Sets up a verified and warmed-up case; raises if its output is wrong."""
    case = Case(text, terms)
    output, oracle = case.output(), oracle_output(text, threads, terms)
    error, allowed = relative_error(output, oracle), TOLERANCE[terms.dtype]
    if not error <= allowed:
        raise ValueError(f'{text}: output differs from float64 by {error:.1e}, expected at most {allowed:.0e}')
    gmacs = count_gmacs(case.model, case.x)
    for _ in range(warmup):
        case.run()
    info = {'peer': 'pytorch', 'version': torch.__version__, 'case': text, 'threads': threads}
    return case, {**info, 'error': error, 'gmacs': round(gmacs, 4)}, output, oracle


def flops_of(info):
    """2 FLOPs per multiply-add; a training step counts as three forward passes."""
    return info['gmacs'] * (2 if ' forward ' in info['case'] else 6)


def measure(text, threads, terms, reps):
    case, info, _, _ = prepare(text, threads, terms)
    ms = [round(case.run(), 2) for _ in range(reps)]
    median = statistics.median(ms)
    peak = round(peak_mb(terms), 1)
    return {**info, 'ms': ms, 'median_ms': median, 'peak_mb': peak, 'gflops': round(flops_of(info) / median * 1e3, 1)}


class Server:
    def __init__(self, threads, terms):
        self.threads, self.terms, self.cases = threads, terms, {}

    def setup(self, text):
        self.cases[text] = prepare(text, self.threads, self.terms)
        return {**self.cases[text][1], 'oracle': self.cases[text][3]}

    def run(self, text):
        return {'case': text, 'ms': round(self.cases[text][0].run(), 3)}

    def output(self, text):
        return {'case': text, 'output': self.cases[text][2]}

    def peak(self, text):
        return {'case': text, 'mb': peak_mb(self.terms)}

    def drop(self, text):
        del self.cases[text]
        return {'case': text, 'dropped': True}

    def answer(self, line):
        verb, _, text = line.partition(' ')
        text = ' '.join(text.split())
        if verb not in ('setup', 'run', 'output', 'peak', 'drop'):
            return {'error': f"expected setup, run, output, peak, drop or quit, got '{verb}'"}
        if verb != 'setup' and text not in self.cases:
            return {'error': f"expected 'setup {text}' before '{verb} {text}'"}
        try:
            return getattr(self, verb)(text)
        except (ValueError, RuntimeError, subprocess.CalledProcessError) as error:
            return {'error': str(error)}


def serve(threads, terms):
    server = Server(threads, terms)
    for line in sys.stdin:
        if line.strip() == 'quit':
            return
        print(json.dumps(server.answer(line.strip())), flush=True)


def drive(args):
    """Runs each case in a fresh process, because this one would distort peak_mb."""
    for text in args.cases.split(','):
        command = [sys.executable, __file__, '--one', text.strip(), '--threads', str(args.threads), '--reps', str(args.reps)]
        command += ['--device', args.device, '--precision', args.precision] + ['--compile'] * args.compile
        command += ['--graphs'] * args.graphs
        subprocess.run(command, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--reps', type=int, default=10)
    parser.add_argument('--cases', default=','.join(CASES))
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32')
    parser.add_argument('--compile', action='store_true', help='time torch.compile of the model')
    parser.add_argument('--graphs', action='store_true', help='with --compile: replay CUDA graphs (reduce-overhead)')
    parser.add_argument('--serve', action='store_true')
    parser.add_argument('--one', help='measure one case in this process')
    parser.add_argument('--oracle', help='print the float64 output of one case')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    terms = Terms(args.device, {'f32': torch.float32, 'bf16': torch.bfloat16}[args.precision], args.compile, args.graphs)
    if args.oracle:
        print(json.dumps(Case(args.oracle, Terms(args.device, torch.float64)).output()))
    elif args.serve:
        serve(args.threads, terms)
    elif args.one:
        print(json.dumps(measure(args.one, args.threads, terms, args.reps)), flush=True)
    else:
        drive(args)


if __name__ == '__main__':
    main()
