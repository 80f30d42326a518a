"""Cases of kernels that are not ops with gradients, or only parts of one: optimizers, sums, dropout, the steps of a block's spatial part.
Each function yields calls with their expected outputs in float64."""

import math

import torch

from ctypes_ops import EPS, Call, mix_plain, pairs, spatial_branches_plain

MASK = 0xFFFFFFFF


def doubles(*tensors):
    return [t.double() for t in tensors]


def accumulate(make):
    from_, into = make.uniform(37), make.uniform(37)
    total = from_.double() + into.double()
    yield Call('accumulate_forward', {'n': 37, 'from': from_, 'into': into}, {'into': total})
    copied = make.empty(37)
    yield Call('accumulate_copy', {'n': 37, 'from': from_, 'into': copied}, {'into': from_.double()})


def arithmetic(make):
    """[2, 3, 5] with a broadcast row of 5, and the sum for its gradient."""
    a, b = make.uniform(2, 3, 5), make.uniform(5, scale=0.5, offset=1)
    dims, whole, row = (1, 1, 1, 2, 3, 5), (0, 0, 0, 15, 5, 1), (0, 0, 0, 0, 0, 1)
    for kind, apply in enumerate((torch.add, torch.sub, torch.mul, torch.div)):
        given = {'kind': kind, 'slope': 0, 'dims': dims, 'stride_a': whole, 'stride_b': row, 'length_a': 30, 'length_b': 5}
        y = make.empty(2, 3, 5)
        yield Call('arithmetic_forward', {**given, 'a': a, 'b': b, 'y': y}, {'y': apply(*doubles(a, b))})
    given = {'kept': (1, 1, 1, 1, 1, 5), 'kept_stride': row, 'reduced': (1, 1, 1, 1, 2, 3), 'reduced_stride': (0, 0, 0, 0, 15, 5)}
    yield Call('arithmetic_reduce', {**given, 'length_x': 30, 'x': a, 'y': make.empty(5)}, {'y': a.double().sum((0, 1))})


def philox(seed, counter):
    """The four words of Philox4x32-10 (Salmon et al., SC 2011)."""
    c, k = [counter & MASK, counter >> 32, 0, 0], [seed & MASK, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & MASK, (p >> 32) ^ c[3] ^ k[1], p & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def dropout(make):
    n, p, seed, offset = 37, 0.25, (1 << 40) + 7, 8
    words = [philox(seed, offset // 4 + i // 4)[i % 4] for i in range(n)]
    factors = torch.tensor([0.0 if (word >> 8) * 2.0**-24 < p else 1 / (1 - p) for word in words], dtype=torch.float64)
    factor = make.empty(n)
    yield Call('dropout_factors', {'n': n, 'p': p, 'seed': seed, 'offset': offset, 'factor': factor, 'start': None}, {'factor': factors})
    x, per_clip, y = make.uniform(3, 10), make.uniform(3), make.empty(3, 10)
    given = {'n': 30, 'span': 10, 'x': x, 'factor': per_clip, 'y': y}
    yield Call('dropout_apply', given, {'y': x.double() * per_clip.double()[:, None]})


def lists(make, kinds, lengths=(1, 37, 9000)):
    return [[make.uniform(n) for n in lengths] for _ in range(kinds)]


def f32(*numbers):
    """The scalars in the kernel's layout."""
    return [float(torch.tensor(x, dtype=torch.float32)) for x in numbers]


def adamw(make):
    p, g, m, v = lists(make, 4)
    v = [t.abs() for t in v]
    lr, b1, b2, eps, decay = f32(1e-2, 0.9, 0.99, 1e-8, 0.1)
    wanted = {'parameters': [], 'first': [], 'second': []}
    for ps, gs, ms, vs in zip(*(doubles(*kind) for kind in (p, g, m, v))):
        first, second = b1 * ms + (1 - b1) * gs, b2 * vs + (1 - b2) * gs * gs
        step = lr / (1 - b1**3) * first / (second.sqrt() / math.sqrt(1 - b2**3) + eps)
        for name, value in zip(wanted, (ps * (1 - lr * decay) - step, first, second)):
            wanted[name].append(value)
    settings = {'lr': lr, 'beta1': b1, 'beta2': b2, 'eps': eps, 'decay': decay, 'step': 3}
    rates = torch.tensor([lr / (1 - b1**3), 1 / math.sqrt(1 - b2**3), 1 - lr * decay], dtype=torch.float64)
    given = {name: value for name, value in settings.items() if name != 'eps'}
    yield Call('adamw_numbers', {**given, 'numbers': make.empty(3)}, {'numbers': rates})
    yield Call('adamw_step', {**settings, 'parameters': p, 'gradients': g, 'first': m, 'second': v, 'numbers': None}, wanted)


def sgd(make):
    lr, momentum, decay = f32(1e-2, 0.9, 0.1)
    for nesterov in (False, True):
        p, g, b = lists(make, 3)
        wanted = {'parameters': [], 'buffers': []}
        for ps, gs, bs in zip(*(doubles(*kind) for kind in (p, g, b))):
            full = gs + decay * ps
            buffer = momentum * bs + full
            wanted['parameters'].append(ps - lr * (full + momentum * buffer if nesterov else buffer))
            wanted['buffers'].append(buffer)
        settings = {'lr': lr, 'momentum': momentum, 'decay': decay, 'nesterov': nesterov}
        yield Call('sgd_step', {**settings, 'parameters': p, 'gradients': g, 'buffers': b, 'lr_of_step': None}, wanted)


def grad_norm(make):
    g, into, from_ = lists(make, 3)
    norm = torch.cat(doubles(*g)).norm().reshape(1)
    yield Call('grad_norm_measure', {'norm': make.empty(1), 'gradients': g}, {'norm': norm})
    scaled = [t * f32(0.3)[0] for t in doubles(*g)]
    yield Call('grad_norm_scale', {'factor': 0.3, 'gradients': [t.clone() for t in g], 'factor_of_step': None}, {'gradients': scaled})
    moved = [a + f32(0.1)[0] * (b - a) for a, b in zip(doubles(*into), doubles(*from_))]
    yield Call('grad_norm_lerp', {'weight': 0.1, 'into': into, 'from': from_}, {'into': moved})


def non_finite(make):
    x = make.uniform(1000)
    x[[3, 500, 999]] = torch.tensor([math.nan, math.inf, -math.inf], device=make.device, dtype=x.dtype)
    count = torch.tensor([3.0], dtype=torch.float64)
    yield Call('non_finite_count', {'n': 1000, 'x': x, 'found': make.empty(1)}, {'found': count})


def cast(make):
    """To bf16 like PyTorch, rounding ties to even, and back without loss."""
    x, half, back = make.uniform(1000), make.empty(1000, dtype=torch.bfloat16), make.empty(1000)
    yield Call('cast_to_bf16', {'n': 1000, 'x': x, 'y': half}, {'y': x.bfloat16().double()})
    rounded = make.uniform(1000).bfloat16()
    yield Call('cast_to_f32', {'n': 1000, 'x': rounded, 'y': back}, {'y': rounded.double()})


def clip_input(make, b=3, t=2, h=5, w=12):
    """Normalised by tables, and within a box mixed with the reversed batch, except for the middle clip."""
    pixels = make.indices(b * t * h * w * 3, 256).to(torch.uint8).reshape(b, t, h, w, 3)
    tables, (keep, take) = make.parameter(3, 256), (0.25, 0.75)
    settings = torch.cat((tables.flatten(), torch.tensor([keep, take, 3, 1, 6, 2], device=make.device)))
    own = torch.stack([tables.double()[c][pixels[..., c].long()] for c in range(3)], 1)
    x, box = own.clone(), (slice(None), slice(None), slice(None), slice(1, 3), slice(3, 9))
    x[box] = (keep * own + take * own.flip(0))[box]
    x[b // 2] = own[b // 2]
    given = {'clips': b, 'frames': t, 'height': h, 'width': w, 'pixels': pixels, 'settings': settings, 'x': make.empty(b, 3, t, h, w)}
    yield Call('clip_input_forward', given, {'x': x})


def running_statistics(make, rows=37, cols=29):
    """A training step of BatchNorm updates them, and evaluation uses them."""
    x, gamma, beta = make.uniform(rows, cols), make.uniform(cols, scale=0.2, offset=1), make.uniform(cols, scale=0.1)
    mean, var = make.uniform(cols), make.uniform(cols, scale=0.5, offset=1)
    x64, m64, v64 = doubles(x, mean, var)
    given = {'x': x, 'gamma': gamma, 'beta': beta, 'running_mean': mean, 'running_var': var}
    momentum, eps = f32(0.1, EPS)
    moved = {
        'running_mean': m64 + momentum * (x64.mean(0) - m64), 'running_var': v64 + momentum * (x64.var(0, unbiased=True) - v64),
    }
    for training in (True, False):
        kept = {'y': make.empty(rows, cols), 'mean': make.empty(cols), 'rstd': make.empty(cols)}
        at = {'rows': rows, 'cols': cols, 'training': training, 'gelu': False, 'momentum': momentum, 'eps': eps}
        plain = (x64 - moved['running_mean']) / (moved['running_var'] + eps).sqrt() * gamma.double() + beta.double()
        yield Call('batch_norm_forward', {**at, **given, **kept}, moved if training else {**moved, 'y': plain})


def norm_spatial(make, clips=2, steps=2, height=3, width=3, channels=8, chunk=4, strided=False):
    count, shape = (2 if strided else 3), (clips, steps, height, width, channels)
    x, xt = make.uniform(*shape), make.uniform(*shape)
    gamma, beta = make.uniform(channels, scale=0.2, offset=1), make.uniform(channels, scale=0.1)
    fcs = [(make.weight(channels, channels), make.uniform(channels)) for _ in range(count)]
    proj, proj_bias = make.weight(channels, channels), make.uniform(channels)
    weights, scale = make.uniform(clips, channels, count), make.uniform(clips)
    tokens, clip_tokens = clips * steps * height * width, steps * height * width
    at = [('clips', clips), ('steps', steps), ('height', height), ('width', width), ('channels', channels), ('chunk', chunk),
          ('strided', strided)]
    normed, eps = [('gamma', gamma), ('beta', beta)], [('eps', EPS)]
    leaves = [t.double().requires_grad_() for t in (xt, gamma, beta, *(t for fc in fcs for t in fc))]
    branch64 = spatial_branches_plain(*leaves[:3], list(zip(leaves[3::2], leaves[4::2])), chunk, strided)
    pooled64 = branch64.sum(0).reshape(clips, clip_tokens, channels).mean(1)

    branch, pooled = make.empty(count, *shape), make.empty(clips, channels)
    kept = [('mean', make.empty(tokens, dtype=torch.float32)), ('rstd', make.empty(tokens, dtype=torch.float32))]
    yield Call('norm_spatial_branches', [*at, *eps, ('x', xt), *normed, *pairs('', fcs), ('branch', branch), *kept, ('pooled', pooled)],
               {'branch': branch64.detach(), 'pooled': pooled64.detach()})

    again = make.empty(clips, channels)
    yield Call('norm_spatial_pool', [*at, *eps, ('x', xt), *normed, *pairs('', fcs), *kept, ('pooled', again)],
               {'pooled': pooled64.detach()})

    mixed = [t.double().requires_grad_() for t in (branch, weights, proj, proj_bias)]
    y64 = mix_plain(x.double(), mixed[0], mixed[1], scale.double(), *mixed[2:])
    y, dy = make.empty(*shape), make.uniform(*shape)
    end = [('proj', proj), ('proj_bias', proj_bias), ('y', y)]
    yield Call('norm_spatial_mix', [*at, ('x', x), ('branch', branch), ('weights', weights), ('scale', scale), *end], {'y': y64.detach()})
    applied = make.empty(*shape)
    yield Call('norm_spatial_apply', [*at, ('x', x), ('xt', xt), *normed, *kept, ('weights', weights), ('scale', scale),
                                      *pairs('', fcs), *end[:2], ('y', applied)], {'y': y64.detach()})

    dbranch, dweights, dproj, dproj_bias = torch.autograd.grad(y64, mixed, dy.double())
    dmix64 = dy.double() @ proj.double() * scale.double().reshape(-1, 1, 1, 1, 1)
    out = {'dmix': make.empty(*shape), 'dweights': make.like(weights), 'dproj': make.like(proj), 'dproj_bias': make.like(proj_bias)}
    yield Call('norm_spatial_mix_backward', [*at, ('branch', branch), ('weights', weights), ('scale', scale), ('proj', proj), ('dy', dy),
                                             *out.items()],
               {'dmix': dmix64, 'dweights': dweights, 'dproj': dproj, 'dproj_bias': dproj_bias})

    dmix, dpooled, residual = make.uniform(*shape), make.uniform(clips, channels), make.uniform(*shape)
    upstream = weights.double().permute(2, 0, 1)[:, :, None, None, None, :] * dmix.double()
    upstream = upstream + (dpooled.double() / clip_tokens)[:, None, None, None, :]
    dx, dgamma, dbeta, *dfcs = torch.autograd.grad(branch64, leaves, upstream)
    gradients = [(make.like(w), make.like(b)) for w, b in fcs]
    given = [*at, ('x', xt), *normed, *kept, ('weights', weights), ('dmix', dmix), ('dpooled', dpooled), ('residual', residual),
             *(('weight', w) for w, _ in fcs), ('dx', make.empty(*shape)), ('dgamma', make.like(gamma)), ('dbeta', make.like(beta)),
             *pairs('d', gradients)]
    wanted = {'dx': dx + residual.double(), 'dgamma': dgamma, 'dbeta': dbeta, 'dweight': dfcs[::2], 'dbias': dfcs[1::2]}
    yield Call('norm_spatial_branches_backward', given, wanted)


def norm_spatial_strided(make):
    yield from norm_spatial(make, strided=True)


CALLS = [accumulate, arithmetic, cast, clip_input, dropout, adamw, sgd, grad_norm, non_finite, running_statistics, norm_spatial, norm_spatial_strided]
