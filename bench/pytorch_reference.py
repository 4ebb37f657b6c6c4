#!/usr/bin/python3
"""Times a network of this project in PyTorch, for bench/compare.

    bench/pytorch_reference.py --model resnet_basic_20 --batch 128 --threads 2 --mode train \\
        --precision f32 --layout contiguous --seconds 5

Feeds a network of networks.py one random batch again and again, and prints one JSON object:
images_per_second, median_ms (of a step), peak_rss_bytes, parameters and the settings; with --trial
all ways of doing it one after the other, "ways" by images_per_second, for choosing. A training
step is forward, soft-target cross-entropy, backward and an SGD step (Nesterov momentum 0.9, weight
decay 1e-4). Evaluation is forward alone, without gradients, batch norm folded into the
convolutions: --fold fx (torch.fx's fuse) or jit (torch.jit.freeze, which folds, and
optimize_for_inference). bf16 is autocast.

Needs Debian's python3-torch (1.13), or any later PyTorch.
"""
import argparse
import itertools
import json
import math
import os
import re
import statistics
import sys
import time

# Linear layers go through OpenBLAS, which is to choose its kernels for this processor by itself.
for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[name]

import torch
import torch.nn.functional as F

import networks
import sampling

PRECISIONS = ["f32", "bf16"]
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


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
            net = torch.jit.trace(net, images, check_trace=False)
            net = torch.jit.optimize_for_inference(torch.jit.freeze(net))

    def step():
        with torch.no_grad(), autocast:
            net(images)

    return step


def repeat(step, seconds, least=1, most=10**6):
    """How long each step took: as many as fit into so many seconds."""
    times = []
    while len(times) < least or len(times) < most and sum(times) + times[-1] / 2 < seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return times


def peak_rss_bytes():
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1])


class Work:
    """One network and batch; step() makes a way of computing with them into a function."""

    def __init__(self, args):
        self.arch, self.mode = networks.parse(args.model), args.mode
        if not self.arch:
            sys.exit("pytorch_reference: unknown model '%s'; networks.parse has the names"
                     % args.model)
        torch.manual_seed(0)
        self.parameters = None
        self.images = torch.randn(args.batch, 3, 32, 32)
        self.targets = torch.rand(args.batch, 10)
        self.targets /= self.targets.sum(1, keepdim=True)

    def step(self, precision, layout, fold):
        images = self.images.to(memory_format=LAYOUTS[layout])
        net = networks.build(self.arch).to(memory_format=LAYOUTS[layout])
        self.parameters = sum(p.numel() for p in net.parameters())
        if self.mode == "train":
            return train_step(net, images, self.targets, precision)
        return eval_step(net, images, precision, fold)


def measure(work, args):
    step = work.step(args.precision, args.layout, args.fold)
    # Libraries choose kernels, allocators fill their caches; torch.jit optimises in its second run.
    least = 2 if args.mode == "eval" and args.fold == "jit" else 1
    repeat(step, args.seconds, least, most=3)
    times = repeat(step, args.seconds, least=2)
    median = statistics.median(times)
    return {"precision": args.precision, "layout": args.layout,
            "fold": args.fold if args.mode == "eval" else None, "steps": len(times),
            "median_ms": 1000 * median, "images_per_second": args.batch / median,
            "peak_rss_bytes": peak_rss_bytes()}


def trial(work, args):
    """All ways, fastest first; those that are hopeless in their first step get no other."""
    folds = ["fx", "jit"] if args.mode == "eval" else [None]
    best, ways = math.inf, []
    for precision, layout, fold in itertools.product(sampling.precisions(), LAYOUTS, folds):
        way = {"precision": precision, "layout": layout, "fold": fold}
        try:
            step = work.step(precision, layout, fold)
            took = repeat(step, 0, least=2 if fold == "jit" else 1)[-1]
            if took < max(3 * best, 1):
                took = statistics.median(repeat(step, args.seconds))
            best = min(best, took)
            ways.append({**way, "images_per_second": args.batch / took})
        except Exception as error:  # whatever this version of PyTorch can't
            ways.append({**way, "images_per_second": 0, "error": str(error).split("\n")[0]})
    return {"ways": sorted(ways, key=lambda way: -way["images_per_second"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="resnet_basic_20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--precision", choices=PRECISIONS, default="f32")
    parser.add_argument("--layout", choices=list(LAYOUTS), default="contiguous")
    parser.add_argument("--fold", choices=["fx", "jit"], default="fx", help="evaluation only")
    parser.add_argument("--trial", action="store_true", help="all precisions, layouts and folds")
    parser.add_argument("--seconds", type=float, default=5,
                        help="about this long (each way), two steps at least (one)")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    work = Work(args)
    result = (trial if args.trial else measure)(work, args)
    library = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    print(json.dumps({
        "program": "pytorch " + torch.__version__, "onednn": library and library[1],
        "model": args.model, "mode": args.mode, "batch": args.batch, "threads": args.threads,
        "parameters": work.parameters, **result}))


if __name__ == "__main__":
    main()
