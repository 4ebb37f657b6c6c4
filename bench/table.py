"""A report of bench/compare as text: a row a way of computing, and what of the bars is met."""
import re
import statistics

import bars
import gpu
from sampling import DISTURBED

MODES = {"train": "training", "eval": "evaluation"}
ROW = "%-11s%-6s%-30s%10s%9s%9s%9s%9s%8s%8s"


def header(report):
    machine, peak = report["machine"], report["peak"]
    lines = [gpu.text(machine["gpu"])] if machine.get("gpu") else []
    lines += ["%s, %d cores, %.0f GiB, Linux %s; %d thread(s)" % (
        machine["cpu"], machine["cores"], machine["memory_bytes"] / 2**30, machine["kernel"],
        report["settings"]["threads"]),
        "softlabel %s, commit %s; PyTorch %s; begun %s" % (
            report["softlabel"], report["commit"], report["pytorch"], report["date"]),
        "peak: " + ", ".join("%s %.0f GFLOP/s (%s)" % (
            precision, p["gflops_per_second"], p["instruction"])
            for precision, p in peak.items() if p["instruction"]),
        "medians of up to %d rounds of %g s, in turns; a multiply-add is 2 operations, training 3"
        " times evaluation" % (report["settings"]["rounds"], report["settings"]["seconds"])]
    if machine.get("gpu"):
        lines.append("MiB: of the GPU's memory; of softlabel what it allocated, of PyTorch what its"
                     " allocator took")
    return "\n".join(lines)


def summary(contender):
    """Medians over the samples that nothing disturbed, or over all."""
    clean = [s for s in contender["samples"] if s["others"] <= DISTURBED]
    used = clean or contender["samples"]
    return {"images_per_second": statistics.median(s["images_per_second"] for s in used),
            "median_ms": statistics.median(s["median_ms"] for s in used),
            "memory_bytes": max(s["memory_bytes"] for s in contender["samples"]),
            "samples": len(contender["samples"]), "undisturbed": len(clean)}


def share(report, precision, gflops):
    peak = report["peak"].get(precision, {}).get("gflops_per_second", 0)
    return gflops / peak if peak else None


def figures(report, entry, mode):
    """A row a contender, and each bar's figure, of one network and mode."""
    contenders = [c for c in entry[mode]["contenders"] if c["samples"]]
    if not entry.get("multiply_adds"):  # no word from softlabel
        return {"rows": [], "bars": {}}
    rows = []
    for c in contenders:
        row = {**{key: c[key] for key in ("program", "precision", "variant")}, **summary(c)}
        operations = 2 * entry["multiply_adds"] * (3 if mode == "train" else 1)
        row["gflops_per_second"] = operations * row["images_per_second"] / 1e9
        row["of_peak"] = share(report, row["precision"], row["gflops_per_second"])
        rows.append(row)
    rivals = [row for row in rows if row["program"] == "pytorch"]
    if not rivals or len(rivals) == len(rows):
        return {"rows": rows, "bars": {}}
    best = max(rivals, key=lambda row: row["images_per_second"])
    ours = [row for row in rows if row["program"] == "softlabel"]
    for row in ours:
        row["speed"] = row["images_per_second"] / best["images_per_second"]
        row["memory"] = row["memory_bytes"] / best["memory_bytes"]
    return {"rows": rows, "bars": judge(report, entry["model"], mode, ours)}


def judge(report, model, mode, ours):
    fastest = max(ours, key=lambda row: row["images_per_second"])
    values = {"speed": fastest["speed"], "memory": fastest["memory"],
              "bf16_peak": next((r["of_peak"] for r in ours if r["precision"] == "bf16"), None)}
    verdicts = {}
    for name, (limit, kind) in bars.bars_of(
            model, mode, report["settings"].get("device", "cpu")).items():
        value = values[name]
        if value is not None:
            met = value >= limit if kind == "least" else value <= limit
            verdicts[name] = {"value": value, "limit": limit, "met": met}
    return verdicts


def percent(value):
    return "-" if value is None else "%.0f %%" % (100 * value)


def times(row, name):
    return "%.2fx" % row[name] if name in row else ""


def rows_text(entry, mode, result):
    """The rows of one network and mode, under a line that names them."""
    if not result.get("rows"):
        return "\n".join(["", "%s, %s" % (entry["names"], MODES[mode])] + untried(result))
    lines = ["", "%s, %s, batch %d: %.2f M parameters, %.1f M multiply-adds an image" % (
        entry["names"], MODES[mode], entry["batch"], entry["parameters"] / 1e6,
        entry["multiply_adds"] / 1e6), ROW % (
            "", "", "", "images/s", "ms/step", "GFLOP/s", "of peak", "MiB", "speed", "memory")]
    for row in result["rows"]:
        lines.append(ROW % (
            row["program"], row["precision"], row["variant"],
            "%.1f%s" % (row["images_per_second"], " " if row["undisturbed"] else "*"),
            "%.2f" % row["median_ms"], "%.0f" % row["gflops_per_second"],
            percent(row["of_peak"]), "%.0f" % (row["memory_bytes"] / 2**20),
            times(row, "speed"), times(row, "memory")))
    lines += untried(result)
    if result["bars"]:
        lines.append("bars: " + "; ".join(map(bar_text, result["bars"].items())))
    return "\n".join(lines)


def untried(result):
    """A line for each reason."""
    reasons = {}
    for way, reason in result.get("untried", []):
        reasons.setdefault(reason, []).append(way)
    return ["not measured (%s): %s" % (reason, ", ".join(some)) for reason, some in reasons.items()]


BAR_TEXT = {"speed": ("speed %.2f", "at least %.2f"), "memory": ("memory %.2f", "at most %.2f"),
            "bf16_peak": ("share of the bf16 peak %.2f", "at least %.2f")}


def bar_text(item):
    name, bar = item
    value, limit = BAR_TEXT[name]
    return "%s, %s: %s" % (value % bar["value"], limit % bar["limit"],
                           "met" if bar["met"] else "MISSED")


def slowest(report, n, mode="train"):
    """The n networks of which softlabel, at its best, gets through the fewest images a second."""
    rates = {}
    for entry in report["models"]:
        for row in entry.get(mode, {}).get("rows", []):
            if row["program"] == "softlabel":
                rates[entry["model"]] = max(rates.get(entry["model"], 0), row["images_per_second"])
    return sorted(rates, key=rates.get)[:n]


MOST_OPERATIONS = 12


def profile_text(lines):
    """What bench --profile prints, but of the operations, hundreds in some networks, the longest."""
    if "by operation:" not in lines:
        return "\n".join(lines)
    start = lines.index("by operation:") + 1
    operations = [line for line in lines[start:] if re.match(r" *[\d.]+ ms ", line)]
    longest = sorted(operations, key=lambda line: -float(line.split()[0]))[:MOST_OPERATIONS]
    rest = lines[start + len(operations):]
    return "\n".join(lines[:start - 1] + ["by operation, %d of %d:" % (
        len(longest), len(operations))] + longest + rest)


def closing(report):
    """How many bars are met, and which aren't."""
    met, missed = 0, []
    for entry in report["models"]:
        for mode in MODES:
            for name, bar in entry.get(mode, {}).get("bars", {}).items():
                met += bar["met"]
                if not bar["met"]:
                    missed.append("  %s, %s: %s" % (entry["model"], MODES[mode],
                                                    bar_text((name, bar))))
    lines = ["", "%d of %d bars met" % (met, met + len(missed))] + missed
    if any(row["undisturbed"] == 0 for entry in report["models"] for mode in MODES
           for row in entry.get(mode, {}).get("rows", [])):
        lines.append("* other programs ran during all samples")
    return "\n".join(lines)
