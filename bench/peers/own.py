"""Two small convolutional networks trained on a folder of videos, beside `morphmlp train`: see bench/own/own.ts.

    own.py DATA MODEL EPOCHS SEED THREADS     prints one line of JSON: accuracy, seconds, parameters

DATA holds train.json and val.json (frames, height, width and label of each video) and train.bin and val.bin (their bytes,
[frames, height, width, 3] one after the other). The recipe is a decent one for sets of this size: clips of 16 frames spread
over most of the video, random crops and brightness, AdamW with a cosine, label smoothing. Mirrored clips are left out, as for
ours: classes may mirror each other.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn

FRAMES, SIDE, BATCH = 16, 64, 8


def videos(folder, split):
    """The videos of a split: arrays of bytes [frames, height, width, 3], and labels."""
    raw = np.fromfile(f"{folder}/{split}.bin", np.uint8)
    made, labels, at = [], [], 0
    for one in json.load(open(f"{folder}/{split}.json")):
        shape = (one["frames"], one["height"], one["width"], 3)
        size = int(np.prod(shape))
        made.append(raw[at : at + size].reshape(shape))
        labels.append(one["label"])
        at += size
    return made, torch.tensor(labels)


def clip(video, random=None):
    """FRAMES frames and a square: the middle ones, or drawn ones."""
    count, height, width, _ = video.shape
    span = count if random is None else count * random.uniform(0.7, 1)
    start = 0 if random is None else random.uniform(0, count - span)
    numbers = np.floor(start + (np.arange(FRAMES) + 0.5) * span / FRAMES).astype(int).clip(0, count - 1)
    y, x = (height - SIDE) // 2, (width - SIDE) // 2
    if random is not None:
        y, x = random.integers(height - SIDE + 1), random.integers(width - SIDE + 1)
    pixels = video[numbers, y : y + SIDE, x : x + SIDE].astype(np.float32) / 255
    if random is not None:
        pixels = pixels * random.uniform(0.7, 1.3) + random.uniform(-0.1, 0.1)
    return torch.from_numpy((pixels - 0.45) / 0.225).permute(3, 0, 1, 2)


def spatial_temporal(inputs, outputs, stride):
    """A (2+1)D convolution (Tran et al., 2018): 1x3x3, then 3x1x1, with as many weights as 3x3x3."""
    middle = (27 * inputs * outputs) // (9 * inputs + 3 * outputs)
    return nn.Sequential(
        nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(),
        nn.Conv3d(middle, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


def full(inputs, outputs, stride):
    return nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, conv, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            *(conv(inputs, outputs, stride), nn.BatchNorm3d(outputs), nn.ReLU()),
            *(conv(outputs, outputs, 1), nn.BatchNorm3d(outputs)),
        )
        same = inputs == outputs and stride == 1
        self.short = nn.Identity() if same else nn.Conv3d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.body(x) + self.short(x))


def network(name, classes):
    conv, widths = {"r2plus1d": (spatial_temporal, (16, 32, 64)), "cnn3d": (full, (16, 32, 64))}[name]
    first, *_ = widths
    stem = nn.Sequential(
        nn.Conv3d(3, first, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(first), nn.ReLU()
    )
    pairs = zip((first, *widths), widths)
    blocks = [Block(conv, a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(pairs)]
    head = [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1], classes)]
    return nn.Sequential(stem, *blocks, *head)


def main(folder, name, epochs, seed, threads):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    random = np.random.default_rng(seed)
    (train, labels), (val, val_labels) = videos(folder, "train"), videos(folder, "val")
    model = network(name, int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    steps = epochs * (len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps, pct_start=0.1)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    since = time.perf_counter()
    for _ in range(epochs):
        model.train()
        order = random.permutation(len(train))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            some = order[at : at + BATCH]
            loss = loss_of(model(torch.stack([clip(train[i], random) for i in some])), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - since
    model.eval()
    with torch.no_grad():
        scores = torch.cat([model(clip(video)[None]) for video in val])
    accuracy = (scores.argmax(1) == val_labels).float().mean().item()
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"accuracy": accuracy, "seconds": seconds, "parameters": parameters}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
