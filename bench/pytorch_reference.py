#!/usr/bin/python3
"""Times a network of this project in PyTorch, for bench/compare.

    bench/pytorch_reference.py --model resnet_basic_20 --batch 128 --threads 2 --mode train \\
        --precision f32 --layout contiguous --seconds 5

Feeds a network of networks.py one random batch again and again, and prints one JSON object:
images_per_second, median_ms (of a step), memory_bytes, parameters and the settings. What a step is:
pytorch_steps.py; the ways of doing it: ways.py.

--trial   all ways of a processor one after the other, "ways" by images_per_second, for choosing
--serve   a line of JSON from stdin is a measurement to make (model, mode, batch, seconds, way; or
          peak, a precision), a line of JSON to stdout what came of it; the first line tells what
          PyTorch this is

Needs Debian's python3-torch (1.13), or any later PyTorch.
"""
import argparse
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

import pytorch_steps
import sampling
import ways

BUNCH_SECONDS, BUNCH_MOST = 0.05, 64  # as in softlabel bench


def wait(device):
    if ways.is_gpu(device):
        torch.cuda.synchronize()


def timed(step, n, device):
    """How long each of n steps took, a GPU being waited for behind them."""
    begin = time.perf_counter()
    for _ in range(n):
        step()
    wait(device)
    return (time.perf_counter() - begin) / n


def repeat(step, seconds, least=1, most=10**6, device="cpu", bunch=1):
    """How long a step took: as many bunches of them as fit into so many seconds."""
    times, spent = [], 0
    while len(times) < least or len(times) < most and spent + times[-1] * bunch / 2 < seconds:
        times.append(timed(step, bunch, device))
        spent += times[-1] * bunch
    return times


def bunch_of(step, device):
    if not ways.is_gpu(device):
        return 1
    return max(1, min(BUNCH_MOST, int(BUNCH_SECONDS / timed(step, 1, device))))


def memory_bytes(device):
    """At most, so far: the process's own, or what PyTorch's allocator has taken of the GPU's."""
    if ways.is_gpu(device):
        return torch.cuda.max_memory_reserved()
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1])


def measure(work, way, seconds):
    step = work.step(way)
    # Libraries choose kernels, allocators fill their caches; torch.jit optimises in its second run.
    repeat(step, seconds, 2 if way["fold"] == "jit" else 1, most=3, device=work.device)
    bunch = bunch_of(step, work.device)
    times = repeat(step, seconds, least=2, device=work.device, bunch=bunch)
    median = statistics.median(times)
    return {**way, "steps": len(times) * bunch, "median_ms": 1000 * median,
            "images_per_second": work.batch / median, "parameters": work.parameters,
            "memory_bytes": memory_bytes(work.device)}


def trial(work, seconds):
    """All ways, fastest first; those that are hopeless in their first step get no other."""
    best, tried = math.inf, []
    for way in ways.all_of(work.device, work.mode, sampling.precisions()):
        try:
            step = work.step(way)
            took = repeat(step, 0, least=2 if way["fold"] == "jit" else 1)[-1]
            if took < max(3 * best, 1):
                took = statistics.median(repeat(step, seconds))
            best = min(best, took)
            tried.append({**way, "images_per_second": work.batch / took})
        except Exception as error:  # whatever this version of PyTorch can't
            tried.append({**way, "images_per_second": 0, "error": first_line(error)})
    return {"ways": sorted(tried, key=lambda way: -way["images_per_second"]),
            "parameters": work.parameters}


def first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__


def versions(device):
    library = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    told = {"program": "pytorch " + torch.__version__, "onednn": library and library[1]}
    if ways.is_gpu(device):
        told.update(cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(),
                    gpu=torch.cuda.get_device_name())
    return told


def peak(device, precision, seconds):
    step, operations = pytorch_steps.matmul(device, precision)
    repeat(step, 0, least=3, device=device)
    best = min(repeat(step, seconds, device=device, bunch=bunch_of(step, device)))
    return {"gflops_per_second": operations / best / 1e9, "instruction": "torch.mm, 8192"}


def answer(job, device):
    if "peak" in job:
        return peak(device, job["peak"], job["seconds"])
    reason = pytorch_steps.why_not(job["way"], device)
    if reason:
        return {"lacks": reason}
    pytorch_steps.forget_all()
    work = pytorch_steps.Work(job["model"], job["mode"], job["batch"], device)
    return measure(work, job["way"], job["seconds"])


def serve(device):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    if ways.is_gpu(device):
        torch.cuda.set_device(torch.device(device if ":" in device else device + ":0"))
    print(json.dumps(versions(device)), file=out, flush=True)
    for line in sys.stdin:
        try:
            result = answer(json.loads(line), device)
        except Exception as error:
            result = {"error": first_line(error)}
        print(json.dumps(result), file=out, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="resnet_basic_20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--precision", choices=ways.PRECISIONS, default="f32")
    parser.add_argument("--layout", choices=ways.LAYOUTS, default="contiguous")
    parser.add_argument("--fold", choices=ways.FOLDS, default="fx", help="evaluation only")
    parser.add_argument("--run", choices=ways.RUNS, default="eager")
    parser.add_argument("--trial", action="store_true", help="all precisions, layouts and folds")
    parser.add_argument("--serve", action="store_true", help="measurements as stdin asks for them")
    parser.add_argument("--seconds", type=float, default=5,
                        help="about this long (each way), two steps at least (one)")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    if args.serve:
        serve(args.device)
        return
    work = pytorch_steps.Work(args.model, args.mode, args.batch, args.device)
    way = {"precision": args.precision, "layout": args.layout, "run": args.run,
           "fold": args.fold if args.mode == "eval" else None}
    result = trial(work, args.seconds) if args.trial else measure(work, way, args.seconds)
    print(json.dumps({**versions(args.device), "model": args.model, "mode": args.mode,
                      "batch": args.batch, "threads": args.threads, **result}))


if __name__ == "__main__":
    main()
