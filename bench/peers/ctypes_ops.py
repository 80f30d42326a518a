"""Every kernel of the C library as a call with PyTorch tensors and the same computation in PyTorch, for ctypes_check.py.

`OPS` has one function for each op: it takes a `Maker` of tensors and sizes, and returns an `Op`. `reference` is plain PyTorch; in
float64 it is the oracle, with autograd for the gradients, and in the tensors' own type it is the peer that is timed.
"""

import math
from dataclasses import dataclass, field
from typing import Callable

import torch
from torch.nn import functional as F

EPS = 1e-5


class Maker:
    """Creates tensors on a device, with the same data on each. Values are exact in `dtype`, so that float64 uses the same."""

    def __init__(self, device, dtype=torch.float32, seed=0):
        self.device, self.dtype = device, dtype
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, *shape, scale=1.0, offset=0.0, dtype=None):
        values = (torch.rand(*shape, generator=self.generator) * 2 - 1) * scale + offset
        return values.to(self.device, dtype or self.dtype)

    def parameter(self, *shape, scale=1.0, offset=0.0):
        """Always f32: in bf16 the library keeps parameters, statistics and sums in f32."""
        return self.uniform(*shape, scale=scale, offset=offset, dtype=torch.float32)

    def weight(self, n, *k):
        return self.parameter(n, *k, scale=math.sqrt(3 / math.prod(k)))

    def empty(self, *shape, dtype=None):
        """NaN: a kernel must write all of it."""
        return torch.full(shape, math.nan, device=self.device, dtype=dtype or self.dtype)

    def like(self, t):
        return self.empty(*t.shape, dtype=t.dtype)

    def indices(self, n, limit):
        return torch.randint(limit, (n,), generator=self.generator, dtype=torch.int32).to(self.device)


@dataclass
class Call:
    """A kernel call: its arguments, and the expected value of each output computed in float64."""

    kernel: str
    arguments: object
    wanted: dict


@dataclass
class Op:
    name: str
    sizes: str
    inputs: dict  # of the reference, in the order of its parameters
    reference: Callable
    forward: str
    forward_arguments: Callable  # of (y) -> arguments
    output: tuple = ()  # the shape of y where it is not that of the first input
    output_dtype: torch.dtype = None  # where it is not that of the tokens
    backward: str = ''
    backward_arguments: Callable = None  # of (dy, gradients by name) -> arguments
    gradients: tuple = ()  # names of the inputs that get one
    extra: dict = field(default_factory=dict)


def pairs(prefix, fcs):
    """Alternates weights and biases."""
    return [item for w, b in fcs for item in ((f'{prefix}weight', w), (f'{prefix}bias', b))]


# -- plain PyTorch --


def chunk_rows(tokens, chunk, groups, strided):
    """[frames, N, C] -> the FC's rows [frames, J, groups, chunk * S], with zeros behind the frame's end."""
    frames, n, c = tokens.shape
    chunks = -(-n // chunk)
    padded = F.pad(tokens, (0, 0, 0, chunks * chunk - n))
    shape = (frames, chunk, chunks, groups, c // groups) if strided else (frames, chunks, chunk, groups, c // groups)
    order = (0, 2, 3, 1, 4) if strided else (0, 1, 3, 2, 4)
    return padded.reshape(shape).permute(order).reshape(frames, chunks, groups, chunk * (c // groups))


def chunk_tokens(rows, n, c, chunk, groups, strided):
    frames, chunks = rows.shape[:2]
    order = (0, 3, 1, 2, 4) if strided else (0, 1, 3, 2, 4)
    return rows.reshape(frames, chunks, groups, chunk, c // groups).permute(order).reshape(frames, chunks * chunk, c)[:, :n]


def morph_fc_plain(x, weight, bias, chunk, groups, vertical, strided):
    frames, h, w, c = x.shape
    tokens = (x.transpose(1, 2) if vertical else x).reshape(frames, h * w, c)
    mixed = chunk_tokens(F.linear(chunk_rows(tokens, chunk, groups, strided), weight, bias), h * w, c, chunk, groups, strided)
    return mixed.reshape(frames, w, h, c).transpose(1, 2) if vertical else mixed.reshape(frames, h, w, c)


def temporal_fc_plain(x, weight, bias, groups):
    clips, steps, positions, c = x.shape
    run = c // groups
    rows = x.reshape(clips, steps, positions, groups, run).permute(0, 2, 3, 1, 4).reshape(clips, positions, groups, steps * run)
    mixed = F.linear(rows, weight, bias).reshape(clips, positions, groups, steps, run)
    return mixed.permute(0, 3, 1, 2, 4).reshape(x.shape)


def layer_norm_plain(x, gamma, beta):
    return F.layer_norm(x, gamma.shape, gamma, beta, EPS)


def spatial_branches_plain(xt, gamma, beta, fcs, chunk, strided):
    clips, steps, h, w, c = xt.shape
    normed = layer_norm_plain(xt, gamma, beta).reshape(clips * steps, h, w, c)
    kinds = [(False, True)] if strided else [(True, False), (False, False)]
    mixed = [morph_fc_plain(normed, *fc, chunk, chunk, *kind) for fc, kind in zip(fcs, kinds)]
    return torch.stack([t.reshape(xt.shape) for t in (*mixed, F.linear(normed, *fcs[-1]))])


def mix_plain(x, branch, weights, scale, proj, proj_bias):
    """weights [clips, C, branches]."""
    per_clip = weights.permute(2, 0, 1)[:, :, None, None, None, :]
    return x + scale.reshape(-1, 1, 1, 1, 1) * F.linear((branch * per_clip).sum(0), proj, proj_bias)


# -- the ops --


def gelu(make, n=1000):
    x = make.uniform(n, scale=4)
    return Op('gelu', f'[{n}]', {'x': x}, F.gelu, 'gelu_forward', lambda y: {'n': n, 'x': x, 'y': y},
              backward='gelu_backward', gradients=('x',), backward_arguments=lambda dy, g: {'n': n, 'x': x, 'dy': dy, 'dx': g['x']})


def layer_norm(make, rows=37, cols=29):
    x, gamma, beta = make.uniform(rows, cols), make.parameter(cols, scale=0.2, offset=1), make.parameter(cols, scale=0.1)
    mean, rstd = make.empty(rows, dtype=torch.float32), make.empty(rows, dtype=torch.float32)
    at, given, kept = {'rows': rows, 'cols': cols}, {'x': x, 'gamma': gamma}, {'mean': mean, 'rstd': rstd}
    return Op('layer_norm', f'[{rows}, {cols}]', {'x': x, 'gamma': gamma, 'beta': beta}, layer_norm_plain, 'layer_norm_forward',
              lambda y: {**at, 'eps': EPS, **given, 'beta': beta, 'y': y, **kept},
              backward='layer_norm_backward', gradients=('x', 'gamma', 'beta'),
              backward_arguments=lambda dy, g: {**at, **given, **kept, 'dy': dy, 'dx': g['x'], 'dgamma': g['gamma'], 'dbeta': g['beta']})


def linear(make, rows=37, n=29, k=31):
    x, weight, bias = make.uniform(rows, k), make.weight(n, k), make.parameter(n)
    at, given = {'rows': rows, 'n': n, 'k': k}, {'x': x, 'weight': weight}
    return Op('linear', f'[{rows}, {k}] x [{n}, {k}]', {**given, 'bias': bias}, F.linear, 'linear_forward',
              lambda y: {**at, 'gelu': False, **given, 'bias': bias, 'y': y, 'z': None}, output=(rows, n),
              backward='linear_backward', gradients=('x', 'weight', 'bias'),
              backward_arguments=lambda dy, g: {**at, **given, 'dy': dy, 'dx': g['x'], 'dweight': g['weight'], 'dbias': g['bias']})


def linear_gelu(make, rows=37, n=29, k=31):
    x, weight, bias = make.uniform(rows, k), make.weight(n, k), make.parameter(n)
    z = make.empty(rows, n)
    arguments = lambda y: {'rows': rows, 'n': n, 'k': k, 'gelu': True, 'x': x, 'weight': weight, 'bias': bias, 'y': y, 'z': z}
    return Op('linear_gelu', f'[{rows}, {k}] x [{n}, {k}]', {'x': x, 'weight': weight, 'bias': bias},
              lambda x, weight, bias: F.gelu(F.linear(x, weight, bias)), 'linear_forward', arguments, output=(rows, n))


def morph_fc(make, frames=3, height=5, width=4, channels=21, chunk=7, vertical=False, strided=False):
    x, weight, bias = make.uniform(frames, height, width, channels), make.weight(channels, channels), make.parameter(channels)
    at = {'frames': frames, 'height': height, 'width': width, 'channels': channels, 'chunk': chunk, 'groups': chunk,
          'vertical': vertical, 'strided': strided}
    given = {'x': x, 'weight': weight}
    words = 'vertical' if vertical else 'strided' if strided else 'horizontal'
    return Op('morph_fc', f'[{frames}, {height}, {width}, {channels}], L = {chunk}, {words}', {**given, 'bias': bias},
              lambda x, weight, bias: morph_fc_plain(x, weight, bias, chunk, chunk, vertical, strided), 'morph_fc_forward',
              lambda y: {**at, **given, 'bias': bias, 'y': y}, backward='morph_fc_backward', gradients=('x', 'weight', 'bias'),
              backward_arguments=lambda dy, g: {**at, **given, 'dy': dy, 'dx': g['x'], 'dweight': g['weight'], 'dbias': g['bias']})


def temporal_fc(make, clips=2, steps=4, positions=9, channels=12, groups=3):
    row = steps * channels // groups
    x, weight, bias = make.uniform(clips, steps, positions, channels), make.weight(row, row), make.parameter(row)
    at = {'clips': clips, 'steps': steps, 'positions': positions, 'channels': channels, 'groups': groups}
    given = {'x': x, 'weight': weight}
    return Op('temporal_fc', f'[{clips}, {steps}, {positions}, {channels}], {groups} groups', {**given, 'bias': bias},
              lambda x, weight, bias: temporal_fc_plain(x, weight, bias, groups), 'temporal_fc_forward',
              lambda y: {**at, **given, 'bias': bias, 'y': y}, backward='temporal_fc_backward', gradients=('x', 'weight', 'bias'),
              backward_arguments=lambda dy, g: {**at, **given, 'dy': dy, 'dx': g['x'], 'dweight': g['weight'], 'dbias': g['bias']})


def softmax(make, rows=37, cols=3):
    x = make.uniform(rows, cols, scale=3)
    at = {'rows': rows, 'cols': cols}
    op = Op('softmax', f'[{rows}, {cols}]', {'x': x}, lambda x: x.softmax(-1), 'softmax_forward', None,
            backward='softmax_backward', gradients=('x',))
    op.forward_arguments = lambda y: op.extra.update(y=y) or {**at, 'x': x, 'y': y}
    op.backward_arguments = lambda dy, g: {**at, 'y': op.extra['y'], 'dy': dy, 'dx': g['x']}
    return op


def max_(make, outer=3, n=7, inner=5):
    x = make.uniform(outer, n, inner)
    index = torch.zeros(outer, inner, dtype=torch.int32, device=make.device)
    at = {'outer': outer, 'n': n, 'inner': inner}
    return Op('max', f'[{outer}, {n}, {inner}]', {'x': x}, lambda x: x.max(1).values, 'max_forward',
              lambda y: {**at, 'x': x, 'y': y, 'index': index}, output=(outer, inner), backward='max_backward', gradients=('x',),
              backward_arguments=lambda dy, g: {**at, 'dy': dy, 'index': index, 'dx': g['x']})


def mean_pool(make, clips=2, tokens=37, channels=29):
    x = make.uniform(clips, tokens, channels)
    at = {'clips': clips, 'tokens': tokens, 'channels': channels}
    return Op('mean_pool', f'[{clips}, {tokens}, {channels}]', {'x': x}, lambda x: x.mean(1), 'mean_pool_forward',
              lambda y: {**at, 'inputs': 1, 'y': y, 'x': x}, output=(clips, channels), output_dtype=torch.float32, backward='mean_pool_backward', gradients=('x',),
              backward_arguments=lambda dy, g: {**at, 'dy': dy, 'dx': g['x']})


def reweight(make, clips=2, tokens=37, channels=29, branches=3):
    names = [f'branch{i}' for i in range(branches)]
    inputs = {name: make.uniform(clips, tokens, channels) for name in names}
    weights = make.parameter(clips, channels, branches)
    at = {'clips': clips, 'tokens': tokens, 'channels': channels, 'branches': branches}
    plain = lambda *t: sum(b * t[-1][:, None, :, i] for i, b in enumerate(t[:-1]))
    every = lambda values: tuple(values[name] for name in names)
    return Op('reweight', f'[{clips}, {tokens}, {channels}] x {branches}', {**inputs, 'weights': weights}, plain, 'reweight_forward',
              lambda y: {**at, 'weights': weights, 'y': y, 'branch': every(inputs)},
              backward='reweight_backward', gradients=(*names, 'weights'),
              backward_arguments=lambda dy, g: {**at, 'weights': weights, 'dy': dy, 'dweights': g['weights'], 'branch': every(inputs), 'dbranch': every(g)})


def index_rows(make, rows=7, width=5, taken=11):
    x, index = make.uniform(rows, width), make.indices(taken, rows)
    at = {'rows': rows, 'width': width, 'taken': taken}
    return Op('index_rows', f'{taken} of [{rows}, {width}]', {'x': x}, lambda x: x[index.long()], 'index_rows_forward',
              lambda y: {**at, 'x': x, 'index': index, 'y': y}, output=(taken, width), backward='index_rows_backward',
              gradients=('x',), backward_arguments=lambda dy, g: {**at, 'dy': dy, 'index': index, 'dx': g['x']})


def cross_entropy(make, rows=5, classes=37):
    logits, targets = make.uniform(rows, classes, scale=3), make.uniform(rows, classes, scale=0.5, offset=0.6)
    targets /= targets.sum(-1, keepdim=True)
    probabilities = make.empty(rows, classes)
    at = {'rows': rows, 'classes': classes}
    plain = lambda logits: -(targets.to(logits.dtype) * logits.log_softmax(-1)).sum(-1).mean().reshape(1)
    return Op('cross_entropy', f'[{rows}, {classes}]', {'logits': logits}, plain, 'cross_entropy_forward',
              lambda y: {**at, 'logits': logits, 'targets': targets, 'loss': y, 'probabilities': probabilities}, output=(1,),
              backward='cross_entropy_backward', gradients=('logits',),
              backward_arguments=lambda dy, g: {**at, 'targets': targets, 'probabilities': probabilities, 'dloss': dy, 'dlogits': g['logits']})


def batch_norm(make, rows=37, cols=29, with_gelu=True):
    x, gamma, beta = make.uniform(rows, cols), make.parameter(cols, scale=0.2, offset=1), make.parameter(cols, scale=0.1)
    running = {'running_mean': make.parameter(cols), 'running_var': make.parameter(cols, scale=0.5, offset=1)}
    kept = {'mean': make.empty(cols, dtype=torch.float32), 'rstd': make.empty(cols, dtype=torch.float32)}
    at, given = {'rows': rows, 'cols': cols, 'training': True, 'gelu': with_gelu}, {'x': x, 'gamma': gamma, 'beta': beta}

    def plain(x, gamma, beta):
        y = F.batch_norm(x, None, None, gamma, beta, True, 0.1, EPS)
        return F.gelu(y) if with_gelu else y

    return Op('batch_norm', f'[{rows}, {cols}]{", gelu" if with_gelu else ""}', given, plain, 'batch_norm_forward',
              lambda y: {**at, 'momentum': 0.1, 'eps': EPS, **given, **running, 'y': y, **kept},
              backward='batch_norm_backward', gradients=('x', 'gamma', 'beta'),
              backward_arguments=lambda dy, g: {**at, **given, **kept, 'dy': dy, 'dx': g['x'], 'dgamma': g['gamma'], 'dbeta': g['beta']})


def conv3d(make, batch=2, size=(3, 7, 6), channels=(4, 6), kernel=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), groups=1):
    x = make.uniform(batch, *size, channels[0])
    weight, bias = make.weight(channels[1], channels[0] // groups, *kernel), make.parameter(channels[1])
    out = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding)]
    at = {'batch': batch, 'in_channels': channels[0], 'out_channels': channels[1], 'groups': groups, 'in': tuple(size),
          'kernel': kernel, 'stride': stride, 'padding': padding, 'padding_behind': padding, 'planar': False}
    given = {'x': x, 'weight': weight}
    plain = lambda x, weight, bias: F.conv3d(x.permute(0, 4, 1, 2, 3), weight, bias, stride, padding, 1, groups).permute(0, 2, 3, 4, 1)
    return Op('conv3d', f'[{batch}, {size}, {channels}], kernel {kernel}, {groups} groups', {**given, 'bias': bias}, plain,
              'conv3d_forward', lambda y: {**at, **given, 'bias': bias, 'y': y}, output=(batch, *out, channels[1]),
              backward='conv3d_backward', gradients=('x', 'weight', 'bias'),
              backward_arguments=lambda dy, g: {**at, **given, 'dy': dy, 'dx': g['x'], 'dweight': g['weight'], 'dbias': g['bias']})


def conv_norm(make, training=True, **sizes):
    """Forward only: its backward consists of batch_norm_backward and conv3d_backward, which have their own cases."""
    conv = conv3d(make, **sizes)
    cols = conv.output[-1]
    gamma, beta = make.parameter(cols, scale=0.2, offset=1), make.parameter(cols, scale=0.1)
    running = {'running_mean': make.parameter(cols), 'running_var': make.parameter(cols, scale=0.5, offset=1)}
    u = make.empty(*conv.output) if training else None
    kept = {'u': u, 'mean': make.empty(cols, dtype=torch.float32), 'rstd': make.empty(cols, dtype=torch.float32)}
    inputs = {**conv.inputs, 'gamma': gamma, 'beta': beta}
    before = [t.clone() for t in running.values()]  # in training the kernel moves them

    def plain(x, weight, bias, gamma, beta):
        y = conv.reference(x, weight, bias).reshape(-1, cols)
        mean, var = (None, None) if training else (t.to(x.dtype) for t in before)
        return F.gelu(F.batch_norm(y, mean, var, gamma, beta, training, 0.1, EPS)).reshape(conv.output)

    def arguments(y):
        at = {name: value for name, value in conv.forward_arguments(y).items() if name not in (*conv.inputs, 'y')}
        return {**at, 'training': training, 'gelu': True, 'momentum': 0.1, 'eps': EPS, **inputs, **running, 'y': y, **kept}

    return Op('conv_norm', f'{conv.sizes}, {"training" if training else "evaluation"}', inputs, plain, 'conv_norm_forward',
              arguments, output=conv.output)


def norm_mlp(make, clips=2, tokens=17, channels=20, hidden=36):
    rows = clips * tokens
    x, gamma, beta = make.uniform(rows, channels), make.parameter(channels, scale=0.2, offset=1), make.parameter(channels, scale=0.1)
    w1, b1, w2, b2 = make.weight(hidden, channels), make.parameter(hidden), make.weight(channels, hidden), make.parameter(channels)
    scale = torch.linspace(0.5, 1.5, clips, device=make.device)
    at = {'rows': rows, 'channels': channels, 'hidden': hidden, 'rows_per_clip': tokens}
    kept = {'mean': make.empty(rows, dtype=torch.float32), 'rstd': make.empty(rows, dtype=torch.float32)}
    z = make.empty(rows, hidden)

    def plain(x, gamma, beta, w1, b1, w2, b2):
        y = F.linear(F.gelu(F.linear(layer_norm_plain(x, gamma, beta), w1, b1)), w2, b2)
        return x + scale.to(x.dtype).repeat_interleave(tokens)[:, None] * y

    inputs = {'x': x, 'gamma': gamma, 'beta': beta, 'w1': w1, 'b1': b1, 'w2': w2, 'b2': b2}
    return Op('norm_mlp', f'[{rows}, {channels}], hidden {hidden}', inputs, plain, 'norm_mlp_forward',
              lambda y: {**at, 'eps': EPS, **inputs, 'scale': scale, 'y': y, **kept, 'z': z}, backward='norm_mlp_backward',
              gradients=tuple(inputs), backward_arguments=lambda dy, g: {
                  **at, 'x': x, 'gamma': gamma, 'beta': beta, 'w1': w1, 'w2': w2, 'scale': scale, **kept, 'z': z, 'dy': dy,
                  **{f'd{name}': g[name] for name in inputs}})


def norm_temporal(make, clips=2, steps=4, positions=9, channels=12, groups=3):
    row = steps * channels // groups
    x, gamma, beta = make.uniform(clips, steps, positions, channels), make.parameter(channels, scale=0.2, offset=1), make.parameter(channels, scale=0.1)
    weight, bias, proj, proj_bias = make.weight(row, row), make.parameter(row), make.weight(channels, channels), make.parameter(channels)
    at = {'clips': clips, 'steps': steps, 'positions': positions, 'channels': channels, 'groups': groups}
    rows = clips * steps * positions
    kept = {'mean': make.empty(rows, dtype=torch.float32), 'rstd': make.empty(rows, dtype=torch.float32), 'u': make.like(x)}
    plain = lambda x, gamma, beta, weight, bias, proj, proj_bias: x + F.linear(
        temporal_fc_plain(layer_norm_plain(x, gamma, beta), weight, bias, groups), proj, proj_bias)
    inputs = {'x': x, 'gamma': gamma, 'beta': beta, 'weight': weight, 'bias': bias, 'proj': proj, 'proj_bias': proj_bias}
    return Op('norm_temporal', f'[{clips}, {steps}, {positions}, {channels}]', inputs, plain, 'norm_temporal_forward',
              lambda y: {**at, 'eps': EPS, **inputs, 'y': y, **kept}, backward='norm_temporal_backward', gradients=tuple(inputs),
              backward_arguments=lambda dy, g: {**at, 'x': x, 'gamma': gamma, 'beta': beta, 'weight': weight, 'proj': proj, **kept,
                                                'dy': dy, **{f'd{name}': g[name] for name in inputs}})


OPS = [gelu, layer_norm, linear, linear_gelu, morph_fc, temporal_fc, softmax, max_, mean_pool, reweight, index_rows, cross_entropy,
       batch_norm, conv3d, conv_norm, norm_mlp, norm_temporal]

# Further checked sizes.
MORE = [
    (morph_fc, {'vertical': True}), (morph_fc, {'strided': True, 'height': 3, 'width': 3, 'channels': 8, 'chunk': 2}),
    (linear, {'rows': 1, 'n': 1, 'k': 1}), (conv3d, {'groups': 2, 'kernel': (3, 1, 3), 'padding': (1, 0, 1)}),
    (batch_norm, {'with_gelu': False}), (conv_norm, {'training': False}), (layer_norm, {'rows': 5, 'cols': 784}),
]

# The timed sizes: video S at stages 1 to 4 with `clips` clips.
def network(clips):
    for stage, (channels, side, chunk, groups) in enumerate([(112, 56, 14, 8), (224, 28, 28, 8), (392, 14, 28, 8), (784, 7, 49, 8)]):
        rows, tokens = clips * 8 * side * side, 8 * side * side
        yield from (
            (linear, {'rows': rows, 'n': channels, 'k': channels}),
            (morph_fc, {'frames': clips * 8, 'height': side, 'width': side, 'channels': channels, 'chunk': chunk, 'strided': stage == 3}),
            (temporal_fc, {'clips': clips, 'steps': 8, 'positions': side * side, 'channels': channels, 'groups': groups}),
            (layer_norm, {'rows': rows, 'cols': channels}),
            (gelu, {'n': rows * channels * 3}),
            (reweight, {'clips': clips, 'tokens': tokens, 'channels': channels}),
            (norm_mlp, {'clips': clips, 'tokens': tokens, 'channels': channels, 'hidden': channels * 3}),
            (norm_temporal, {'clips': clips, 'steps': 8, 'positions': side * side, 'channels': channels, 'groups': groups}),
        )
