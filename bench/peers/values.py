"""Computes weights and inputs, so that all compared programs use the same values."""

import math

import torch

MASK = 0xFFFFFFFF


def fnv1a32(name):
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & MASK
    return h


def value(name, shape, scale=1.0, offset=0.0):
    """float32 array of the given shape; int64 products wrap modulo 2^64, which keeps their low 32 bits right."""
    h = (torch.arange(math.prod(shape)) * 0x9E3779B1 + fnv1a32(name)) & MASK
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
    h = h ^ (h >> 16)
    u = (h >> 8).to(torch.float32) / 2**23 - 1
    return (u * torch.tensor(scale, dtype=torch.float32) + torch.tensor(offset, dtype=torch.float32)).reshape(shape)


def scale_and_offset(name, tensor, norms):
    if name.endswith('running_var'):
        return 0.5, 1.0
    if name.endswith('.weight'):
        return (0.2, 1.0) if name.rsplit('.', 1)[0] in norms else (math.sqrt(3 / math.prod(tensor.shape[1:])), 0.0)
    return 0.1, 0.0


def fill(model):
    """Sets every parameter and running statistic from its name."""
    kinds = (torch.nn.LayerNorm, torch.nn.BatchNorm3d)
    norms = {name for name, module in model.named_modules() if isinstance(module, kinds)}
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith('num_batches_tracked'):
                tensor.copy_(value(name, tensor.shape, *scale_and_offset(name, tensor, norms)))
    return model


def soft_targets(name, batch, classes):
    """Targets in float64, rows summing to 1."""
    t = value(name, (batch, classes)).abs().double()
    return t / t.sum(dim=1, keepdim=True)
