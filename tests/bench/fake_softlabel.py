#!/usr/bin/env python3
"""Pretends to be softlabel on a GPU: `bench` tells speeds, `verify` and the rest end well. How it
misbehaves is in the environment: FAKE_FAIL, a word; a command line with it fails."""
import json
import os
import sys

RATES = {"resnet_basic_20": 90000.0, "wrn_28_10": 5000.0, "densenet_BC_100_12": 7000.0}


def option(name, default=""):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


def bench():
    if "--peak" in sys.argv:
        return {"softlabel": "0.1.0", "onednn": "3", "peak": {
            "f32": {"instruction": "conv", "gflops_per_second": 5e4},
            "bf16": {"instruction": "conv", "gflops_per_second": 6e5}}}
    rate = RATES.get(option("--model"), 20000.0) * (2 if option("--precision") == "bf16" else 1)
    return {"parameters": 1000, "multiply_adds": 4e7, "images_per_second": rate,
            "median_ms": 128e3 / rate, "steps": 10, "peak_rss_bytes": 1 << 30,
            "device_bytes": 1 << 28}


if os.environ.get("FAKE_FAIL") and os.environ["FAKE_FAIL"] in " ".join(sys.argv):
    sys.exit("softlabel: " + os.environ["FAKE_FAIL"] + " failed")
if sys.argv[1] == "bench" and "--json" in sys.argv:
    print(json.dumps(bench()))
elif "--profile" in sys.argv:
    print("where the time of", option("--model"), "goes")
