"""What a comparison measures: entries (a network and a batch), and for each mode contenders, ways of
computing its step in one of the programs, with samples."""
import re
import sys

import sampling
import ways

MODELS = ["resnet_basic_20", "vgg_15_BN_64", "resnet_basic_110", "resnet_preact_bottleneck_164",
          "densenet_BC_100_12", "shake_shake_26_2x64d_SSI_cutout16", "wrn_28_10",
          "wrn_28_10_cutout16", "pyramidnet_basic_110_270"]
BATCHES = {"default": 128, "densenet_BC_100_12": 64}
CLOSE = 0.85  # of the fastest: may turn out to be the fastest


def without_cutout(name):
    """Cutout is a matter of training: the network is the same."""
    return re.sub(r"_cutout\d+$", "", name)


def entries(args):
    """One for each network that is asked for."""
    found = {}
    for name in args.models:
        found.setdefault(without_cutout(name), []).append(name)
    for network, names in found.items():
        batch = args.batch or BATCHES.get(network, BATCHES["default"])
        yield {"model": network, "names": ", ".join(names), "batch": batch}


def softlabel(args, *options):
    return [args.softlabel, "bench", "--device", args.device, "--threads", str(args.threads),
            *map(str, options)]


def ours(args, entry, mode, precision):
    command = softlabel(args, "--model", entry["model"], "--batch", entry["batch"], "--mode", mode,
                        "--precision", precision, "--seconds", args.seconds, "--json")
    return {"program": "softlabel", "precision": precision, "variant": "", "command": command,
            "samples": []}


def theirs(way, **how):
    """how: the command of a process, or a worker's job."""
    return {"program": "pytorch", "precision": way["precision"], "variant": ways.text(way), **how,
            "samples": []}


def add_sample(entry, contender, result):
    """Both programs must have the same network."""
    for key in ("parameters", "multiply_adds"):
        if key in result and entry.setdefault(key, result[key]) != result[key]:
            raise sampling.Failed("not the same network: %s has %s of %s and %s" % (
                entry["model"], key, entry[key], result[key]))
    memory = result.get("device_bytes") or result.get("peak_rss_bytes") or result["memory_bytes"]
    contender["samples"].append({"memory_bytes": memory, **{key: result[key] for key in (
        "images_per_second", "median_ms", "steps", "others")}})


def rate(contender):
    return max(s["images_per_second"] for s in contender["samples"])


def within_reach(contenders):
    """Those that are, or may be, the fastest of their program."""
    return [c for c in contenders if rate(c) >= CLOSE * max(
        rate(rival) for rival in contenders if rival["program"] == c["program"])]


def name(entry, mode, contender):
    return " ".join(filter(None, ("%s, %s:" % (entry["model"], mode), contender["program"],
                                  contender["precision"], contender["variant"])))


def say(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text[:100], end="", file=sys.stderr, flush=True)
