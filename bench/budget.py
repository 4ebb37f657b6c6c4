"""A comparison within a number of seconds: all that could be measured, what tells most first, until
they are over. What is left out is noted, with the reason, as is what takes longer than its limit.

For each network and mode, one after the other
  1. softlabel in its fastest precision, and PyTorch's way that is likely to be the fastest;
  2. PyTorch's other ways, and softlabel's other precision;
  3. softlabel's and PyTorch's fastest, and what is within 15 % of them, once more and once more.
PyTorch's ways run in one process (worker.py); on a processor, where a process's memory is measured,
each run in a new one.
"""
import math
import time

import contenders
import sampling
import ways
from contenders import say

LEAST = 3  # seconds beside the measurement itself that a run takes; with less left, it isn't begun


class Schedule:
    def __init__(self, args, report, worker, on_change):
        self.args, self.report, self.worker, self.on_change = args, report, worker, on_change
        self.end = time.monotonic() + (args.budget or math.inf)
        self.lacks = None  # why there is no PyTorch
        self.failures = {}  # of each of its ways
        self.well = True

    def limit(self):
        """Seconds for the next run; 0: no more."""
        left = self.end - time.monotonic()
        return min(left, self.args.limit) if left >= LEAST + 2 * self.args.seconds else 0

    def run(self):
        self.start_pytorch()
        self.measure_peaks()
        parts = [(entry, mode) for mode in self.args.mode.split(",")
                 for entry in self.report["models"]]
        precisions = self.args.precision.split(",")[::-1]
        pytorch = {mode: ways.all_of(self.args.device, mode, sampling.precisions(self.args.device))
                   for mode in self.args.mode.split(",")}
        for entry, mode in parts:
            entry[mode] = {"contenders": [], "untried": [], "finished": False}
            self.take_ours(entry, mode, precisions[0])
            self.take_theirs(entry, mode, pytorch[mode][0])
        for i in range(1, max(map(len, pytorch.values()))):
            for entry, mode in parts:
                if i < len(precisions):
                    self.take_ours(entry, mode, precisions[i])
                if i < len(pytorch[mode]):
                    self.take_theirs(entry, mode, pytorch[mode][i])
        for _ in range(1, self.args.rounds):
            for entry, mode in parts:
                self.once_more(entry, mode)
        for entry, mode in parts:
            entry[mode]["finished"] = not entry[mode]["untried"]
        self.worker.stop()
        return self.well

    def start_pytorch(self):
        say("starting PyTorch")
        try:
            hello = self.worker.start()
        except sampling.Failed as error:
            self.lacks = str(error)
            self.report["pytorch"] = "not there: %s" % error
            return
        self.report["pytorch"] = hello["program"].split()[1] + (
            " (CUDA %s, cuDNN %s)" % (hello["cuda"], hello["cudnn"]) if "cuda" in hello
            else " (oneDNN %s)" % hello["onednn"])

    def measure_peaks(self):
        """softlabel's, without which nothing can be measured, and on a GPU PyTorch's large product:
        whichever is more."""
        say("the peak")
        result = sampling.run(contenders.softlabel(self.args, "--peak", "--json"), self.args.limit)
        self.report["softlabel"] = result["softlabel"]
        self.report["peak"] = result["peak"]
        if not ways.is_gpu(self.args.device) or self.lacks:
            return
        for precision in ("bf16", "f32"):
            try:
                self.keep_peak(precision, self.worker.ask({"peak": precision, "seconds": 0.5},
                                                          self.args.limit))
            except sampling.Failed as error:
                self.failed("pytorch's peak", error)

    def keep_peak(self, precision, found):
        if found["gflops_per_second"] > self.report["peak"][precision]["gflops_per_second"]:
            self.report["peak"][precision] = found

    def take_ours(self, entry, mode, precision):
        self.take(entry, mode, contenders.ours(self.args, entry, mode, precision))

    def take_theirs(self, entry, mode, way):
        job = {"model": entry["model"], "mode": mode, "batch": entry["batch"], "way": way,
               "seconds": self.args.seconds}
        if not self.lacks:
            self.take(entry, mode, contenders.theirs(way, job=job))

    def once_more(self, entry, mode):
        for contender in contenders.within_reach(entry[mode]["contenders"]):
            if self.limit() and "compile" not in contender["variant"]:
                self.take(entry, mode, contender)

    def take(self, entry, mode, contender):
        """Another sample of a contender, or why there is none."""
        limit, part = self.limit(), entry[mode]
        text = contenders.name(entry, mode, contender)
        reason = (None if limit else "no time left") or self.hopeless(contender)
        if reason:
            part["untried"].append([text.split(": ")[1], reason])
            return
        say(text)
        try:
            if contender["program"] == "softlabel":
                result = sampling.run(contender["command"], limit)
            else:
                if not ways.is_gpu(self.args.device):
                    self.worker.stop()  # ask starts another one
                result = self.worker.ask(contender["job"], limit)
            if "lacks" in result:
                part["untried"].append([text.split(": ")[1], result["lacks"]])
                return
            on_gpu = ways.is_gpu(self.args.device)  # which other processes don't disturb
            contenders.add_sample(entry, contender, {**result, "others": 0} if on_gpu else
                                  {"others": 0, **result})
            if len(contender["samples"]) == 1:
                part["contenders"].append(contender)
        except sampling.TookTooLong as error:
            part["untried"].append([text.split(": ")[1], str(error)])
        except sampling.Failed as error:
            part["untried"].append([text.split(": ")[1], str(error)])
            self.failed(text, error)
            if "job" in contender:
                key = contender["precision"], contender["variant"]
                self.failures[key] = self.failures.get(key, 0) + 1
        self.on_change()

    def hopeless(self, contender):
        """A way of PyTorch's that failed twice: each failure costs another start."""
        failures = self.failures.get((contender["precision"], contender["variant"]), 0)
        return "failed on other networks" if "job" in contender and failures > 1 else None

    def failed(self, text, error):
        """PyTorch may fail at what it likes; we may not."""
        say("")
        print("compare: %s: %s" % (text, error))
        self.well = self.well and "pytorch" in text
