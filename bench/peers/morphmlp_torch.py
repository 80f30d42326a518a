"""MorphMLP in plain PyTorch, the peer of our benchmarks. The project does not import it.

Tokens are x[B, T, H, W, C]. Parameter names are those of the authors' checkpoints, so their weights load unchanged.
"""

import torch
from torch import nn
from torch.nn import functional as F

WIDTHS = {'t': (84, 168, 336, 588), 's': (112, 224, 392, 784), 'b': (112, 224, 392, 784), 'l': (112, 224, 392, 784)}
LAYERS = {'t': (3, 4, 7, 3), 's': (3, 4, 9, 3), 'b': (4, 6, 15, 4), 'l': (4, 8, 18, 6)}
CHUNKS = (14, 28, 28, 49)
VARIANTS = ('image-t', 'image-s', 'image-b', 'image-l', 'video-s-16', 'video-s-32', 'video-b-16', 'video-b-32')


def variant_config(variant):
    """The configuration of one of VARIANTS in the format of the reference files."""
    if variant not in VARIANTS:
        raise ValueError(f'expected a variant out of {", ".join(VARIANTS)}, got {variant}')
    kind, size, *frames = variant.split('-')
    return {
        'kind': kind, 'layers': LAYERS[size], 'embed_dims': WIDTHS[size], 'segment_dim': CHUNKS,
        'frames': int(frames[0]) if frames else 1, 'num_classes': 400 if kind == 'video' else 1000, 'drop_path': 0.0,
    }


def swap_chunks(x, chunk):
    """[B, T, N, C] -> the same shape with position-in-chunk and channel group exchanged; its own inverse."""
    b, t, n, c = x.shape
    x = x.reshape(b, t, n // chunk, chunk, chunk, c // chunk)
    return x.transpose(3, 4).reshape(b, t, n, c)


def softmax_weights(reweight, total, branches):
    """Branch weights [branches, B, 1, 1, 1, C] from the sum of the branches."""
    b, c = total.shape[0], total.shape[-1]
    weights = reweight(total.mean(dim=(1, 2, 3))).reshape(b, c, branches)
    return weights.softmax(dim=-1).permute(2, 0, 1).reshape(branches, b, 1, 1, 1, c)


class DropPath(nn.Module):
    """Drops the residual branch of whole samples with the given probability while training."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = torch.empty((x.shape[0],) + (1,) * (x.dim() - 1), dtype=x.dtype).bernoulli_(keep)
        return x * (mask / keep)


class Mlp(nn.Module):
    def __init__(self, dim, hidden, out):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class MorphFcS(nn.Module):
    """Stages 1 to 3: row chunks, column chunks and channels."""

    def __init__(self, dim, chunk, bias=True):
        super().__init__()
        self.chunk = chunk
        self.mlp_h = nn.Linear(dim, dim, bias=bias)
        self.mlp_w = nn.Linear(dim, dim, bias=bias)
        self.mlp_c = nn.Linear(dim, dim, bias=bias)
        self.reweight = Mlp(dim, dim // 4, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def along(self, fc, x):
        b, t, p, q, c = x.shape
        mixed = fc(swap_chunks(x.reshape(b, t, p * q, c), self.chunk))
        return swap_chunks(mixed, self.chunk).reshape(b, t, p, q, c)

    def forward(self, x):
        h = self.along(self.mlp_h, x.transpose(2, 3)).transpose(2, 3)
        w = self.along(self.mlp_w, x)
        c = self.mlp_c(x)
        weights = softmax_weights(self.reweight, h + w + c, 3)
        return self.proj(h * weights[0] + w * weights[1] + c * weights[2])


class MorphFcS2(nn.Module):
    """Stage 4: one spatial branch with strided chunks of every (HW / L)-th token, and channels."""

    def __init__(self, dim, chunk, bias=True):
        super().__init__()
        self.chunk = chunk
        self.mlp_h = nn.Linear(dim, dim, bias=bias)
        self.mlp_c = nn.Linear(dim, dim, bias=bias)
        self.reweight = Mlp(dim, dim // 4, dim * 2)
        self.proj = nn.Linear(dim, dim)

    def spatial(self, x):
        b, t, p, q, c = x.shape
        chunk, sets = self.chunk, p * q // self.chunk
        rows = x.reshape(b, t, chunk, sets, chunk, c // chunk).permute(0, 1, 3, 4, 2, 5).reshape(b, t, sets, chunk, c)
        mixed = self.mlp_h(rows).reshape(b, t, sets, chunk, chunk, c // chunk)
        return mixed.permute(0, 1, 4, 2, 3, 5).reshape(b, t, p, q, c)

    def forward(self, x):
        h = self.spatial(x)
        c = self.mlp_c(x)
        weights = softmax_weights(self.reweight, h + c, 2)
        return self.proj(h * weights[0] + c * weights[1])


def temporal_groups(dim, steps):
    """The largest divisor of dim that does not exceed the number of time steps."""
    return max(g for g in range(1, steps + 1) if dim % g == 0)


class MorphFcT(nn.Module):
    """Mixes the time steps of one position, one channel group at a time."""

    def __init__(self, dim, steps, bias=True):
        super().__init__()
        self.groups = temporal_groups(dim, steps)
        size = steps * dim // self.groups
        self.mlp_t = nn.Linear(size, size, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, h, w, c = x.shape
        s = c // self.groups
        rows = x.reshape(b, t, h * w, self.groups, s).permute(0, 2, 3, 1, 4).reshape(b, h * w, self.groups, t * s)
        mixed = self.mlp_t(rows).reshape(b, h * w, self.groups, t, s)
        return self.proj(mixed.permute(0, 3, 1, 2, 4).reshape(b, t, h, w, c))


class Block(nn.Module):
    def __init__(self, dim, chunk, ratio, drop, steps, last, bias):
        super().__init__()
        self.t_norm1 = nn.LayerNorm(dim) if steps else None
        self.t_fc = MorphFcT(dim, steps, bias) if steps else None
        self.norm1 = nn.LayerNorm(dim)
        self.fc = (MorphFcS2 if last else MorphFcS)(dim, chunk, bias)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, dim * ratio, dim)
        self.drop_path = DropPath(drop)

    def forward(self, x):
        timed = x + self.t_fc(self.t_norm1(x)) if self.t_fc is not None else x
        x = x + self.drop_path(self.fc(self.norm1(timed)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Stem(nn.Module):
    def __init__(self, dim, video):
        super().__init__()
        time, stride = (3, 2) if video else (1, 1)
        self.proj1 = nn.Conv3d(3, dim // 2, (time, 3, 3), (stride, 2, 2), (time // 2, 1, 1))
        self.norm1 = nn.BatchNorm3d(dim // 2)
        self.proj2 = nn.Conv3d(dim // 2, dim, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.norm2 = nn.BatchNorm3d(dim)

    def forward(self, x):
        return self.norm2(self.proj2(F.gelu(self.norm1(self.proj1(x)))))


class Downsample(nn.Module):
    def __init__(self, dim, out):
        super().__init__()
        self.proj = nn.Conv3d(dim, out, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.norm = nn.LayerNorm(out)

    def forward(self, x):
        return self.norm(self.proj(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1))


class MorphMLP(nn.Module):
    """Clip or image [B, 3, T, H, W] -> logits [B, classes]; an image has T = 1."""

    def __init__(self, config):
        super().__init__()
        video, dims, layers = config['kind'] == 'video', config['embed_dims'], config['layers']
        steps = config['frames'] // 2 if video else 0
        ratio, bias = config.get('mlp_ratio', 3), config.get('qkv_bias', True)
        drops = iter(torch.linspace(0, config.get('drop_path', 0.0), sum(layers)).tolist())
        for i, (dim, depth, chunk) in enumerate(zip(dims, layers, config['segment_dim'])):
            embed = Downsample(dims[i - 1], dim) if i else Stem(dim, video)
            blocks = [Block(dim, chunk, ratio, next(drops), steps, i == 3, bias) for _ in range(depth)]
            setattr(self, f'patch_embed{i + 1}', embed)
            setattr(self, f'blocks{i + 1}', nn.ModuleList(blocks))
        self.norm = nn.LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], config['num_classes'])
        self.apply(init_linear)
        for block in (m for m in self.modules() if isinstance(m, MorphFcT)):
            init_temporal(block)

    def forward(self, x):
        x = self.patch_embed1(x).permute(0, 2, 3, 4, 1).contiguous()
        for i in range(1, 5):
            x = getattr(self, f'patch_embed{i}')(x) if i > 1 else x
            for block in getattr(self, f'blocks{i}'):
                x = block(x)
        return self.head(self.norm(x.flatten(1, 3)).mean(dim=1))


def init_linear(module):
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def init_temporal(module):
    """Initialises the temporal branch to output zero."""
    nn.init.zeros_(module.mlp_t.weight)
    nn.init.ones_(module.proj.weight)
    nn.init.zeros_(module.proj.bias)


def soft_cross_entropy(logits, targets):
    return -(targets * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
