#!/usr/bin/env python3
"""Pretends to be python3 with a PyTorch that serves (bench/worker.py): a job's speed depends on how it
is run; compile hangs, contiguous fails, eager is lacking."""
import json
import sys
import time

RATES = {"graph": 60000.0, "compile+graph": 70000.0}

print(json.dumps({"program": "pytorch 9.9", "cuda": "99", "cudnn": 9, "gpu": "a GPU"}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    answer = {}
    if "peak" in job:
        answer = {"gflops_per_second": 7e5 if job["peak"] == "bf16" else 1e4,
                  "instruction": "torch.mm"}
    elif job["way"]["run"] == "compile":
        time.sleep(600)
    elif job["way"]["layout"] == "contiguous":
        answer = {"error": "an illegal memory access"}
    elif job["way"]["run"] == "eager":
        answer = {"lacks": "not in this PyTorch"}
    else:
        rate = RATES[job["way"]["run"]]
        answer = {"images_per_second": rate, "median_ms": 128e3 / rate, "steps": 10,
                  "parameters": 1000, "memory_bytes": 1 << 29}
    print(json.dumps(answer), flush=True)
