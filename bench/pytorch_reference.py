#!/usr/bin/python3
"""Times a network of this project in PyTorch, for bench/compare.

    bench/pytorch_reference.py --model resnet_basic_20 --batch 128 --threads 2 --mode train \\
        --precision f32 --layout contiguous --seconds 5

Builds the same wiring under the same tensor names (docs/architecture.md), feeds it one random batch
again and again, and prints one JSON object: images_per_second, median_ms (of a step),
peak_rss_bytes, parameters and the settings. A training step is forward, soft-target cross-entropy,
backward and an SGD step (Nesterov momentum 0.9, weight decay 1e-4). Evaluation is forward alone,
without gradients, batch norm folded into the convolutions: --fold fx (torch.fx's fuse) or jit
(torch.jit.freeze, which folds, and optimize_for_inference).

Needs Debian's python3-torch (1.13), or any later PyTorch.
"""
import argparse
import json
import re
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv(c_in, c_out, kernel, stride=1):
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)


class ResnetBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(c_in, c_out, 3, stride), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = conv(c_out, c_out, 3), nn.BatchNorm2d(c_out)
        self.shortcut = nn.Sequential()
        if c_in != c_out:
            self.shortcut.add_module("conv", conv(c_in, c_out, 1, stride))
            self.shortcut.add_module("bn", nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += self.shortcut(x)
        return F.relu(y, inplace=True)


class WrnBlock(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(c_in), conv(c_in, c_out, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(c_out), conv(c_out, c_out, 3)
        self.shortcut = nn.Sequential()
        self.widens = c_in != c_out
        if self.widens:
            self.shortcut.add_module("conv", conv(c_in, c_out, 1, stride))

    def forward(self, x):
        y = F.relu(self.bn1(x), inplace=True)
        if self.widens:  # the one place where both paths start behind bn1
            x = y
        y = self.conv1(y)
        y = self.conv2(F.relu(self.bn2(y), inplace=True))
        y += self.shortcut(x)
        return y


def stages(block, widths, n_blocks):
    c_in = 16
    for i, width in enumerate(widths):
        stage = nn.Sequential()
        for j in range(n_blocks):
            stride = 2 if i > 0 and j == 0 else 1
            stage.add_module("block%d" % (j + 1), block(c_in, width, stride))
            c_in = width
        yield "stage%d" % (i + 1), stage


class Network(nn.Module):
    """A resnet has its batch norm behind the first convolution, a wrn behind the last block."""

    def __init__(self, block, widths, n_blocks, norm_first):
        super().__init__()
        self.norm_first = norm_first
        self.conv = conv(3, 16, 3)
        if norm_first:
            self.bn = nn.BatchNorm2d(16)
        for name, stage in stages(block, widths, n_blocks):
            self.add_module(name, stage)
        if not norm_first:
            self.bn = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1], 10)

    def forward(self, x):
        x = self.conv(x)
        if self.norm_first:
            x = F.relu(self.bn(x), inplace=True)
        x = self.stage3(self.stage2(self.stage1(x)))
        if not self.norm_first:
            x = F.relu(self.bn(x), inplace=True)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def build(name):
    m = re.fullmatch(r"resnet_basic_(\d+)", name)
    if m and (int(m[1]) - 2) % 6 == 0 and int(m[1]) > 2:
        return Network(ResnetBlock, [16, 32, 64], (int(m[1]) - 2) // 6, True)
    m = re.fullmatch(r"wrn_(\d+)_(\d+)", name)
    if m and (int(m[1]) - 4) % 6 == 0 and int(m[1]) > 4 and int(m[2]) > 0:
        k = int(m[2])
        return Network(WrnBlock, [16 * k, 32 * k, 64 * k], (int(m[1]) - 4) // 6, False)
    sys.exit("pytorch_reference: unknown model '%s': "
             "expected resnet_basic_<6n+2> or wrn_<6n+4>_<k>" % name)


def train_step(net, images, targets, precision):
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True,
                                weight_decay=1e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net(images)
        loss = -(targets * F.log_softmax(logits.float(), 1)).sum(1).mean()
        loss.backward()
        optimizer.step()

    return step


def eval_step(net, images, precision, fold):
    net.eval()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16",
                              cache_enabled=fold != "jit")
    with torch.no_grad(), autocast:
        if fold == "fx":
            from torch.fx.experimental.optimization import fuse
            net = fuse(net)
        else:
            net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, images)))

    def step():
        with torch.no_grad(), autocast:
            net(images)

    return step


def peak_rss_bytes():
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="resnet_basic_20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--fold", choices=["fx", "jit"], default="fx", help="evaluation only")
    parser.add_argument("--seconds", type=float, default=5, help="at least this long, and 5 steps")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    memory_format = (torch.channels_last if args.layout == "channels_last"
                     else torch.contiguous_format)
    net = build(args.model).to(memory_format=memory_format)
    images = torch.randn(args.batch, 3, 32, 32).to(memory_format=memory_format)
    targets = torch.rand(args.batch, 10)
    targets /= targets.sum(1, keepdim=True)
    parameters = sum(p.numel() for p in net.parameters())
    if args.mode == "train":
        step = train_step(net, images, targets, args.precision)
    else:
        step = eval_step(net, images, args.precision, args.fold)

    for _ in range(3):  # libraries choose kernels, allocators fill their caches
        step()
    times = []
    start = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < args.seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)

    median = statistics.median(times)
    print(json.dumps({
        "program": "pytorch " + torch.__version__, "model": args.model, "mode": args.mode,
        "batch": args.batch, "threads": args.threads, "precision": args.precision,
        "layout": args.layout, "fold": args.fold if args.mode == "eval" else None,
        "parameters": parameters, "steps": len(times), "median_ms": 1000 * median,
        "images_per_second": args.batch / median, "peak_rss_bytes": peak_rss_bytes()}))


if __name__ == "__main__":
    main()
