"""The ways of computing a step in PyTorch that a comparison tries: a way is a dict of

precision  f32; tf32, a GPU's float32 with shorter products; bf16 (autocast)
layout     contiguous or channels_last
fold       how batch norm is folded for evaluation, fx or jit; None in training
run        eager; graph, one CUDA graph of the whole step; compile, torch.compile with its own CUDA
           graphs ("reduce-overhead"); compile+graph, torch.compile within a graph of the whole step
"""
import itertools

PRECISIONS = ["f32", "tf32", "bf16"]
LAYOUTS = ["contiguous", "channels_last"]
FOLDS = ["fx", "jit"]
RUNS = ["eager", "graph", "compile", "compile+graph"]

# What is likely to be the fastest comes first, and what tells most behind it.
ON_A_GPU = [("bf16", "channels_last", "graph"), ("bf16", "channels_last", "compile+graph"),
            ("bf16", "channels_last", "eager"), ("tf32", "channels_last", "graph"),
            ("f32", "channels_last", "graph"), ("bf16", "contiguous", "graph"),
            ("bf16", "channels_last", "compile")]


def is_gpu(device):
    return device.startswith("cuda")


def all_of(device, mode, precisions):
    """The ways worth trying. precisions: what a processor has; a GPU has them all."""
    if is_gpu(device):
        fold = "fx" if mode == "eval" else None
        return [{"precision": precision, "layout": layout, "fold": fold, "run": run}
                for precision, layout, run in ON_A_GPU]
    folds = FOLDS if mode == "eval" else [None]
    return [{"precision": precision, "layout": layout, "fold": fold, "run": "eager"}
            for precision, layout, fold in itertools.product(precisions, LAYOUTS, folds)]


def text(way):
    """All but the precision, which has a column of its own, and what goes without saying."""
    run = way["run"] if way["run"] != "eager" else None
    return " ".join(filter(None, (way["layout"], way["fold"], run)))
