#!/usr/bin/python3
"""Weights go to PyTorch and back: interchange.py PROGRAM

Each family's network in PyTorch (bench/networks.py), saved as PyTorch users save it, is taken over
by `softlabel model import`, gives the same logits there, and what softlabel writes is loaded by
load_state_dict under the reference's names. Needs python3-torch; exits with 77 without it.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    for variable in [v for v in os.environ if v.startswith("OPENBLAS_")]:
        del os.environ[variable]
    import numpy as np
    import torch
except ImportError as missing:
    print("skipped: %s (Debian: python3-torch)" % missing)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
import networks

PROGRAM = os.path.abspath(sys.argv[1])
NAMES = ["vgg_15_BN_4", "resnet_basic_8", "resnet_bottleneck_11", "resnet_preact_basic_8",
         "wrn_10_1", "densenet_BC_10_4", "pyramidnet_basic_8_12", "shake_shake_8_2x4d_SSI"]
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16",
          torch.bfloat16: "BF16", torch.int64: "I64"}


def softlabel(*words, fails=None):
    """What it prints; or, where it is to fail, that it says so in one line."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
    if fails is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode and fails in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    return done.stdout


def write(path, tensors, metadata=None):
    """safetensors: 8 bytes of length, a JSON header, the bytes of all tensors."""
    header, blocks, at = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, t in tensors.items():
        raw = t.contiguous().flatten()
        raw = (raw.view(torch.int16) if t.dtype == torch.bfloat16 else raw).numpy().tobytes()
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape),
                        "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        blocks.append(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def read(path):
    """float32 tensors and metadata of a safetensors file."""
    data = open(path, "rb").read()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.from_numpy(
            np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return tensors, metadata


def random_network(name, classes=10):
    """With running statistics, too, that aren't those of a new network."""
    network = networks.build(networks.parse(name), classes)
    for key, t in network.state_dict().items():
        if key.endswith("running_mean"):
            t.normal_(0, 0.1)
        elif key.endswith("running_var"):
            t.uniform_(0.5, 1.5)
    return network.eval()


def images(folder):
    rows = np.fromfile(folder + "/cifar-10-batches-bin/test_batch.bin", np.uint8).reshape(-1, 3073)
    x = torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)) / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def check_family(name, folder, x):
    network, ours = random_network(name), "%s.safetensors" % name
    write("pytorch.safetensors", network.state_dict())
    softlabel("model", "import", name, "pytorch.safetensors", ours)
    softlabel("evaluate", ours, "--detail", "--bootstrap", "0", "--data", folder, "--save-logits",
              "logits", "--quiet")
    got = np.load("logits/%s.npy" % name)
    with torch.no_grad():
        want = network(x).numpy()
    difference = np.abs(got - want).max() / np.abs(want).max()
    print("%-24s logits differ by %.1e" % (name, difference))
    assert difference < 1e-4

    other = networks.build(networks.parse(name)).eval()
    tensors, metadata = read(ours)
    other.load_state_dict(tensors, strict=True)
    with torch.no_grad():
        assert torch.equal(other(x), network(x))
    assert json.loads(metadata["softlabel.architecture"]) == networks.parse(name)


def check_dtypes():
    state = random_network("resnet_basic_8").state_dict()
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        write("other.safetensors", {k: t.to(dtype) if t.is_floating_point() else t
                                    for k, t in state.items()})
        softlabel("model", "import", "resnet_basic_8", "other.safetensors", "m.safetensors")
        for key, t in read("m.safetensors")[0].items():
            assert torch.equal(t, state[key].to(dtype).float()), key


def check_metadata():
    """A file of ours that PyTorch has changed and saved with the metadata that it had."""
    write("pytorch.safetensors", random_network("wrn_10_1", 7).state_dict())
    arch = json.dumps(networks.parse("wrn_10_1"))
    softlabel("model", "import", arch, "pytorch.safetensors", "m.safetensors")
    tensors, metadata = read("m.safetensors")
    tensors["fc.bias"] += 1
    write("changed.safetensors", tensors, metadata)
    softlabel("model", "info", "changed.safetensors", fails="'softlabel.sha256'")
    for key in ("softlabel.sha256", "softlabel.format"):
        del metadata[key]
    write("changed.safetensors", tensors, metadata)
    info = json.loads(softlabel("model", "info", "--json", "changed.safetensors"))
    assert info["name"] == "wrn_10_1" and info["classes"] == 7
    assert info["history"] == [{"stage": "import"}]


def check_mistakes():
    state = random_network("resnet_basic_8").state_dict()

    def fails(why, change):
        changed = dict(state)
        change(changed)
        write("bad.safetensors", changed)
        softlabel("model", "import", "resnet_basic_8", "bad.safetensors", "no.safetensors",
                  fails="bad.safetensors: " + why)
        assert not os.path.exists("no.safetensors")

    fails("tensor 'module.fc.bias' isn't one of resnet_basic_8",
          lambda s: s.update({"module.fc.bias": s.pop("fc.bias")}))
    fails("resnet_basic_8: tensor 'bn.weight' is missing", lambda s: s.pop("bn.weight"))
    fails("resnet_basic_8: tensor 'bn.weight' has the shape [8], expected [16]",
          lambda s: s.update({"bn.weight": torch.ones(8)}))
    fails("resnet_basic_8: tensor 'bn.weight' is of type I64, expected a float",
          lambda s: s.update({"bn.weight": torch.ones(16, dtype=torch.int64)}))
    fails("tensor 'fc.weight' is missing", lambda s: s.pop("fc.weight"))


def main():
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        softlabel("data", "synth", "--out", folder + "/data", "--train", "100", "--test", "50",
                  "--quiet")
        x = images("data")
        for name in NAMES:
            check_family(name, "data", x)
        check_dtypes()
        check_metadata()
        check_mistakes()
        os.chdir("/")


main()
