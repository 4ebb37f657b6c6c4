#!/usr/bin/python3
"""Makes the small verification files beside this script: what PyTorch computes in float64.

    tests/eval/make_conformance.py --check FILE...     compares FILEs with what it would write
    tests/eval/make_conformance.py                     writes resnet_8.json and the others
    tests/eval/make_conformance.py --bf16 FILE...      how far PyTorch's autocast is from FILEs

The networks of bench/networks.py, filled by the rule of src/eval/fill.h, so that `softlabel verify`
has something to be held against where the published files are not at hand; --check on those shows
that bench/networks.py are the published networks. Needs python3-torch and python3-numpy.
"""
import json
import math
import os
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
import networks

PREACT = {"arch": "resnet_preact", "base_channels": 4}
SHAKE = {"arch": "shake_shake", "base_channels": 4, "depth": 8}
FILES = {  # name of the file: architecture, classes, salt, batch
    "resnet_8": ({"arch": "resnet", "base_channels": 4, "block_type": "basic", "depth": 8},
                 10, "t:", 3),
    "bottleneck_11": ({"arch": "resnet", "base_channels": 8, "block_type": "bottleneck",
                       "depth": 11}, 5, "", 2),
    "wrn_10_1": ({"arch": "wrn", "base_channels": 6, "depth": 10, "widening_factor": 1,
                  "drop_rate": 0}, 10, "w:", 1),
    # What the published files have no network of.
    "preact_8": ({**PREACT, "block_type": "basic", "depth": 8, "remove_first_relu": False,
                  "add_last_bn": False, "preact_stage": [True, False, True]}, 10, "p:", 2),
    "preact_14_options": ({**PREACT, "block_type": "basic", "depth": 14, "remove_first_relu": True,
                           "add_last_bn": True, "preact_stage": [False, True, False]}, 3, "q:", 2),
    "preact_bottleneck_11_options": ({**PREACT, "block_type": "bottleneck", "depth": 11,
                                      "remove_first_relu": True, "add_last_bn": True,
                                      "preact_stage": [False, False, False]}, 10, "r:", 2),
    "densenet_10": ({"arch": "densenet", "depth": 10, "block_type": "basic", "growth_rate": 5,
                     "drop_rate": 0, "compression_rate": 1}, 10, "d:", 2),
    "densenet_B_10": ({"arch": "densenet", "depth": 10, "block_type": "bottleneck",
                       "growth_rate": 3, "drop_rate": 0, "compression_rate": 0.7}, 10, "e:", 2),
    "pyramidnet_bottleneck_11": ({"arch": "pyramidnet", "base_channels": 4, "depth": 11,
                                  "block_type": "bottleneck", "pyramid_alpha": 7}, 10, "f:", 2),
    "vgg_plain": ({"arch": "vgg", "n_channels": [4, 5, 6, 7, 8], "n_layers": [1, 2, 1, 1, 1],
                   "use_bn": False}, 10, "v:", 3),
    "shake_8_ESI": ({**SHAKE, "shake_forward": False, "shake_backward": True,
                     "shake_image": True}, 10, "s:", 2),
    "shake_8_SSB": ({**SHAKE, "shake_forward": True, "shake_backward": True,
                     "shake_image": False}, 10, "b:", 2),
}


def unit(name, n):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2 ** 24


def signed(name, n):
    return 2 * unit(name, n) - 1


def rounded(values, shape, dtype):
    return torch.from_numpy(values.astype(np.float32).reshape(shape)).to(dtype)


def fill(network, salt, dtype):
    for name, t in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        s = signed(salt + name, t.numel())
        if name.endswith("running_mean"):
            s = 0.1 * s
        elif name.endswith("running_var"):
            s = 2 + 0.5 * s
        elif t.dim() == 4:
            s = s * math.sqrt(6 / (t.shape[1] * t.shape[2] * t.shape[3]))
        elif t.dim() == 2:
            s = s * math.sqrt(3 / t.shape[1])
        elif name.endswith("weight"):
            s = 1 + 0.2 * s
        else:
            s = (0.05 if re.search(r"(^fc|conv\d+)\.bias$", name) else 0.1) * s
        t.copy_(rounded(s, t.shape, dtype))


def give_shake_weights(network, salt, batch):
    blocks = [m for m in network.modules() if isinstance(m, networks.ShakeBlock)]
    for b, block in enumerate(blocks):
        block.given = [torch.from_numpy(unit("%sshake.%s.%d" % (salt, kind, b),
                                             batch if block.per_image else 1))
                       for kind in ("alpha", "beta")]


def pair(salt, name, t):
    a = t.detach().double().flatten().numpy()
    return [float(np.linalg.norm(a)), float(a @ signed(salt + "probe:" + name, a.size))]


class Nothing(torch.nn.Module):
    def forward(self, x):
        return 0 * x


def drop_shortcut(network):
    network.stage1.block1.shortcut = Nothing()


FAULTS = {  # file: of which network, and what is wrong with it
    "resnet_8_faulty": ("resnet_8", drop_shortcut),
}


def compute(arch, classes, salt, batch, dtype, fault):
    network = networks.build(arch, classes).to(dtype)
    if fault:
        fault(network)
    u = unit(salt + "target", batch * classes).reshape(batch, classes) ** 4
    target = rounded(u / u.sum(1, keepdims=True), (batch, classes), dtype)
    x = rounded(2 * signed(salt + "input", batch * 3072), (batch, 3, 32, 32), dtype)

    def run(x):
        logits = network(x).to(dtype)
        loss = -(target * F.log_softmax(logits, 1)).sum(1).mean()
        loss.backward()
        return {"logits": logits.detach().double().flatten().tolist(), "loss": loss.item()}

    fill(network, salt, dtype)
    give_shake_weights(network, salt, batch)
    network.eval()
    x.requires_grad_()
    evaluated = run(x)
    evaluated["input_grad"] = pair(salt, "input", x.grad)
    network.zero_grad()
    network.train()
    trained = run(x.detach())
    trained["grads"] = {n: pair(salt, n, p.grad) for n, p in network.named_parameters()}
    trained["buffers"] = {n: pair(salt, n, b) for n, b in network.named_buffers()
                          if not n.endswith("num_batches_tracked")}
    tensors = {n: list(t.shape) for n, t in network.state_dict().items()
               if not n.endswith("num_batches_tracked")}
    return network, tensors, evaluated, trained


def deviations(a, b, floor):
    """How far each of pairs b lies from that of a: norms, probes, by (norm + floor of all)."""
    total = math.sqrt(sum(norm * norm for norm, _ in a.values()))
    return [[abs(a[k][i] - b[k][i]) / (a[k][0] + floor * total) for k in a] for i in (0, 1)]


def deviation(a, b):
    return [max(d) for d in deviations(a, b, 1e-3)]


def make(name, arch, classes, salt, batch, fault=None):
    network, tensors, evaluated, trained = compute(arch, classes, salt, batch, torch.float64, fault)
    _, _, _, single = compute(arch, classes, salt, batch, torch.float32, fault)
    norm, probe = deviation(trained["grads"], single["grads"])
    return {"format": "softlabel-conformance-1", "name": name, "arch": arch, "salt": salt,
            "batch": batch, "parameters": sum(p.numel() for p in network.parameters()),
            "tensors": tensors, "eval": evaluated, "train": trained,
            "float32_deviation": {"train.grads.norm": norm, "train.grads.probe": probe}}


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def print_bf16(path):
    """The figures of `softlabel verify --precision bf16`, of PyTorch."""
    want = json.load(open(path))
    classes = len(want["eval"]["logits"]) // want["batch"]
    with torch.autocast("cpu", torch.bfloat16):
        _, _, evaluated, trained = compute(want["arch"], classes, want["salt"], want["batch"],
                                           torch.float32, None)
    print(want["name"])
    for mode, got in (("eval", evaluated), ("train", trained)):
        for figure in ("logits", "loss"):
            print("  %-28s %.1e" % (mode + " " + figure, worst(want[mode][figure], got[figure])))
    norms, probes = deviations({"": want["eval"]["input_grad"]}, {"": evaluated["input_grad"]}, 0)
    print("  %-28s %.1e norm  %.1e probe" % ("eval input_grad", norms[0], probes[0]))
    for part, floor in (("grads", 1e-3), ("buffers", 0)):
        norms, probes = deviations(want["train"][part], trained[part], floor)
        for what, of in (("worst", max), ("rms", rms)):
            print("  %-28s %.1e norm  %.1e probe" % ("train %s, %s" % (part, what), of(norms),
                                                     of(probes)))


def worst(a, b):
    """The largest relative difference between two files' figures."""
    if isinstance(a, dict):
        return max(worst(a[k], b[k]) for k in a)
    if isinstance(a, list):
        scale = max(map(abs, a)) or 1
        return max(abs(x - y) / scale for x, y in zip(a, b))
    return abs(a - b) / abs(a)


def main():
    if sys.argv[1:2] == ["--check"]:
        for path in sys.argv[2:]:
            want = json.load(open(path))
            classes = len(want["eval"]["logits"]) // want["batch"]
            got = make(want["name"], want["arch"], classes, want["salt"], want["batch"])
            assert list(got["tensors"].items()) == list(want["tensors"].items())
            print(path, *(worst(want[k], got[k]) for k in ("eval", "train")))
        return
    if sys.argv[1:2] == ["--bf16"]:
        for path in sys.argv[2:]:
            print_bf16(path)
        return
    made = {name: make(name, *numbers) for name, numbers in FILES.items()}
    for name, (network, fault) in FAULTS.items():
        made[name] = make(name, *FILES[network], fault)
    for name, content in made.items():
        with open(os.path.join(HERE, name + ".json"), "w") as file:
            json.dump(content, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main()
