#!/usr/bin/python3
"""Times a network of this project in PyTorch, for bench/compare.

    bench/pytorch_reference.py --model resnet_basic_20 --batch 128 --threads 2 --mode train \\
        --precision f32 --layout contiguous --seconds 5

Feeds a network of networks.py one random batch again and again, and prints one JSON object:
images_per_second, median_ms (of a step), peak_rss_bytes, parameters and the settings. A training
step is forward, soft-target cross-entropy, backward and an SGD step (Nesterov momentum 0.9, weight
decay 1e-4). Evaluation is forward alone, without gradients, batch norm folded into the
convolutions: --fold fx (torch.fx's fuse) or jit (torch.jit.freeze, which folds, and
optimize_for_inference). bf16 is autocast.

Needs Debian's python3-torch (1.13), or any later PyTorch.
"""
import argparse
import json
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="resnet_basic_20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--fold", choices=["fx", "jit"], default="fx", help="evaluation only")
    parser.add_argument("--seconds", type=float, default=5, help="about this long, one step at least")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    memory_format = (torch.channels_last if args.layout == "channels_last"
                     else torch.contiguous_format)
    arch = networks.parse(args.model)
    if not arch:
        sys.exit("pytorch_reference: unknown model '%s'; networks.parse has the names" % args.model)
    net = networks.build(arch).to(memory_format=memory_format)
    images = torch.randn(args.batch, 3, 32, 32).to(memory_format=memory_format)
    targets = torch.rand(args.batch, 10)
    targets /= targets.sum(1, keepdim=True)
    parameters = sum(p.numel() for p in net.parameters())
    if args.mode == "train":
        step = train_step(net, images, targets, args.precision)
    else:
        step = eval_step(net, images, args.precision, args.fold)

    # Libraries choose kernels, allocators fill their caches; torch.jit optimises in its second run.
    repeat(step, args.seconds, least=2 if args.mode == "eval" else 1, most=3)
    times = repeat(step, args.seconds)

    median = statistics.median(times)
    print(json.dumps({
        "program": "pytorch " + torch.__version__, "model": args.model, "mode": args.mode,
        "batch": args.batch, "threads": args.threads, "precision": args.precision,
        "layout": args.layout, "fold": args.fold if args.mode == "eval" else None,
        "parameters": parameters, "steps": len(times), "median_ms": 1000 * median,
        "images_per_second": args.batch / median, "peak_rss_bytes": peak_rss_bytes()}))


if __name__ == "__main__":
    main()
