"""Compares the PyTorch peer with the reference data: logits, features, loss, every gradient and updated buffer.

usage: check.py REFERENCE_DIR [--dtype float64|float32] [--only NAME]
"""

import argparse
import json
import math
import sys
import warnings
from pathlib import Path

warnings.filterwarnings('ignore', message='Failed to initialize NumPy')
import torch

from morphmlp_torch import MorphMLP, soft_cross_entropy
from values import fill, soft_targets, value

# largest relative L2 errors: (logits and features, loss, gradients and buffers)
LIMITS = {'float64': (1e-11, 1e-12, 1e-10), 'float32': (2e-6, 2e-6, 2e-5)}
# A conv bias before a BatchNorm that uses batch statistics has a true gradient of zero.
ZERO_GRADIENTS = ('patch_embed1.proj1.bias', 'patch_embed1.proj2.bias')


def whole_error(got, want):
    want = torch.tensor(want, dtype=torch.float64)
    return not_nan((got.double() - want).norm() / want.norm())


def not_nan(error):
    error = float(error)
    return math.inf if math.isnan(error) else error


def digest_error(array, key, digest):
    """The largest error of norm, projections and samples, relative to the magnitude expected from the norm."""
    if list(array.shape) != digest['shape']:
        raise ValueError(f'{key}: expected shape {digest["shape"]}, got {list(array.shape)}')
    flat, norm, n = array.detach().double().reshape(-1), digest['norm'], array.numel()
    errors = [abs(float(flat.norm()) - norm) / norm]
    for k, want in enumerate(digest['proj']):
        got = float((flat * value(f'{key}#proj{k}', (n,)).double()).sum()) / math.sqrt(n)
        errors.append(abs(got - want) / norm)
    samples = flat[torch.tensor(digest['index'])] - torch.tensor(digest['value'], dtype=torch.float64)
    errors.append(float(samples.abs().max()) * math.sqrt(n) / norm)
    return max(not_nan(e) for e in errors)


def eval_errors(name, case, model, x):
    """Features by reference name: the embeddings, the last block of each stage and the norm."""
    kept = {}
    stages = {f'blocks{i}': getattr(model, f'blocks{i}')[-1] for i in range(1, 5)}
    stages.update({f'patch_embed{i}': getattr(model, f'patch_embed{i}') for i in range(1, 5)})
    stages['norm'] = model.norm
    hooks = [m.register_forward_hook(lambda _, __, y, key=key: kept.update({key: y})) for key, m in stages.items()]
    with torch.no_grad():
        logits = model.eval()(x)
    for hook in hooks:
        hook.remove()
    yield 'eval logits', whole_error(logits, case['eval_logits'])
    for key, digest in case['eval_features'].items():
        yield f'eval {key}', digest_error(kept[key], f'{name}/{key}', digest)


def gradient_errors(name, case, params):
    for key, digest in case['grads'].items():
        grad = params[key].grad
        if key in ZERO_GRADIENTS:
            weight = params[key.replace('.bias', '.weight')].grad
            yield f'zero {key}', 0.0 if float(grad.norm() / weight.norm()) < 1e-5 else math.inf
        else:
            yield f'grad {key}', digest_error(grad, f'{name}/grad.{key}', digest)


def train_errors(name, case, model, x):
    classes = case['config']['num_classes']
    targets = soft_targets(f'{name}.t', x.shape[0], classes).to(x.dtype)
    logits = model.train()(x)
    loss = soft_cross_entropy(logits, targets)
    loss.backward()
    yield 'train loss', not_nan(abs(loss.item() - case['train_loss']) / case['train_loss'])
    yield 'train logits', whole_error(logits.detach(), case['train_logits'])
    yield from gradient_errors(name, case, dict(model.named_parameters()))
    buffers = dict(model.named_buffers())
    for key, digest in case['buffers'].items():
        yield f'buffer {key}', digest_error(buffers[key], f'{name}/buffer.{key}', digest)


def limit_of(what, dtype):
    logits, loss, gradient = LIMITS[dtype]
    if what.startswith(('grad', 'zero', 'buffer')):
        return gradient
    return loss if what == 'train loss' else logits


def check_case(name, case, dtype):
    """Prints one line for the case and one for every failure; returns the number of failures."""
    model = fill(MorphMLP(case['config'])).to(getattr(torch, dtype))
    params = sum(p.numel() for p in model.parameters())
    x = value(f'{name}.x', case['x']).to(getattr(torch, dtype))
    results = list(eval_errors(name, case, model, x))
    results += list(train_errors(name, case, model, x)) if 'grads' in case else []
    failures = [(what, e) for what, e in results if not e <= limit_of(what, dtype)]
    failures += [(f'parameters: expected {case["params"]}, got {params}', math.inf)] if params != case['params'] else []
    worst = max((e, what) for what, e in results if what.startswith('grad')) if 'grads' in case else (0, 'none')
    print(f'{name}: logits {results[0][1]:.1e}, {len(results)} arrays, worst gradient {worst[0]:.1e} ({worst[1]})')
    for what, error in failures:
        print(f'  FAILED {what}: error {error:.1e}, limit {limit_of(what, dtype):.0e}')
    return len(failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('reference', type=Path)
    parser.add_argument('--dtype', choices=LIMITS, default='float64')
    parser.add_argument('--only', help='the name of one case')
    args = parser.parse_args()
    torch.set_num_threads(2)
    cases = {}
    for file in ('tiny.json', 'models_full.json'):
        cases.update(json.loads((args.reference / file).read_text()))
    chosen = [n for n in cases if args.only in (None, n)]
    if not chosen:
        sys.exit(f'expected --only to name one of {", ".join(cases)}, got {args.only}')
    failures = sum(check_case(name, cases[name], args.dtype) for name in chosen)
    print(f'{len(chosen)} cases, {failures} failures')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
