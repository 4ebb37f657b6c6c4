"""bench/compare on a GPU that isn't there: programs that pretend, to see what is measured in which
order, what is left out and why, and what the table says."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "bench"
sys.path.insert(0, str(BENCH))

import bars
import sampling
import table
import ways
from worker import Worker

FAKE = str(HERE / "fake_pytorch.py")


def job(run="graph", layout="channels_last"):
    return {"model": "resnet_basic_20", "mode": "train", "batch": 8, "seconds": 0,
            "way": {"precision": "bf16", "layout": layout, "fold": None, "run": run}}


class Workers(unittest.TestCase):
    def setUp(self):
        self.worker = Worker([sys.executable, FAKE])

    def tearDown(self):
        self.worker.stop()

    def test_many_jobs_in_one_process(self):
        self.assertEqual(self.worker.start()["cuda"], "99")
        first = self.worker.process.pid
        self.assertEqual(self.worker.ask(job(), 30)["images_per_second"], 60000)
        self.assertIn("lacks", self.worker.ask(job("eager"), 30))
        self.assertEqual(self.worker.process.pid, first)

    def test_what_takes_too_long_is_ended(self):
        self.worker.start()
        with self.assertRaises(sampling.TookTooLong):
            self.worker.ask(job("compile"), 0.3)
        self.assertEqual(self.worker.ask(job(), 30)["images_per_second"], 60000)

    def test_an_error_ends_the_process(self):
        self.worker.start()
        with self.assertRaisesRegex(sampling.Failed, "illegal"):
            self.worker.ask(job(layout="contiguous"), 30)
        self.assertIsNone(self.worker.process)

    def test_no_pytorch(self):
        self.worker = Worker([sys.executable, "-c", "import no_such_module"])
        with self.assertRaisesRegex(sampling.Failed, "no_such_module"):
            self.worker.start()
        with self.assertRaisesRegex(sampling.Failed, "No such file"):
            Worker(["/nonexistent/python3"]).start()


class Comparisons(unittest.TestCase):
    def compare(self, *options, fail="", python=FAKE):
        """Its exit code, what it printed, and the file."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "bench.json"
            done = subprocess.run(
                [sys.executable, str(BENCH / "compare"), "--device", "cuda", "--softlabel",
                 str(HERE / "fake_softlabel.py"), "--python", python, "--seconds", "0.1",
                 "--out", str(out), *options], capture_output=True, text=True, check=False,
                env={**os.environ, "FAKE_FAIL": fail}, timeout=100)
            report = json.loads(out.read_text()) if out.exists() else None
            return done.returncode, done.stdout + done.stderr, report

    def test_everything(self):
        code, text, report = self.compare("--limit", "2", "--rounds", "2", "--mode", "train",
                                          "--profile", "1", "resnet_basic_20", "wrn_28_10",
                                          "vgg_15_BN_64")
        self.assertEqual(code, 0, text)
        part = report["models"][0]["train"]
        self.assertEqual([c["variant"] for c in part["contenders"] if c["program"] == "pytorch"],
                         ["channels_last graph", "channels_last compile+graph",
                          "channels_last graph", "channels_last graph"])
        self.assertEqual({c["variant"]: len(c["samples"]) for c in part["contenders"]
                          if c["program"] == "softlabel" and c["precision"] == "bf16"}, {"": 2})
        reasons = dict(part["untried"])
        self.assertEqual(reasons["pytorch bf16 channels_last"], "not in this PyTorch")
        self.assertEqual(reasons["pytorch bf16 channels_last compile"], "longer than 2 s")
        self.assertEqual(reasons["pytorch bf16 contiguous graph"], "an illegal memory access")
        self.assertEqual(dict(report["models"][2]["train"]["untried"])
                         ["pytorch bf16 contiguous graph"], "failed on other networks")
        self.assertAlmostEqual(part["bars"]["speed"]["value"], 180000 / 70000)
        self.assertEqual(part["bars"]["speed"]["limit"], bars.ON_A_GPU)
        self.assertEqual(report["peak"]["bf16"]["instruction"], "torch.mm")
        self.assertEqual(report["peak"]["f32"]["instruction"], "conv")
        self.assertIn("where the time of wrn_28_10 goes", text)
        self.assertIn("1 of 3 bars met", text)
        self.assertRegex(text, r"softlabel +bf16 +180000\.0 .* 256 +2\.57x +0\.50x")

    def test_what_tells_most_comes_first(self):
        """Time for some runs only: both programs' likely best, of every network, before anything."""
        code, text, report = self.compare("--budget", "4.2", "--mode", "train", "--seconds", "0.5",
                                          "resnet_basic_20", "wrn_28_10")
        self.assertEqual(code, 0, text)
        reasons = dict(report["models"][1]["train"]["untried"])
        self.assertEqual(reasons["pytorch bf16 channels_last compile"], "no time left")
        self.assertIn("not measured (no time left)", text)

    def test_without_pytorch(self):
        code, text, report = self.compare("--mode", "eval", "resnet_basic_20", python="/bin/false")
        self.assertEqual(code, 0, text)
        self.assertIn("PyTorch not there", text)
        self.assertEqual(len(report["models"][0]["eval"]["rows"]), 2)

    def test_our_failures_count(self):
        code, text, _ = self.compare("--mode", "train", "--limit", "1", "resnet_basic_20",
                                     "wrn_28_10", fail="--model wrn_28_10")
        self.assertEqual(code, 1, text)
        self.assertIn("resnet_basic_20, training", text)

    def test_nothing_runs_on_the_device(self):
        code, text, _ = self.compare(fail="--peak")
        self.assertEqual(code, 1)
        self.assertIn("--peak", text.splitlines()[-1])


class Profiles(unittest.TestCase):
    def test_the_longest_operations_are_shown(self):
        lines = ["a, train", "by kind, of one pass (9.000 ms):", "    9.000 ms 100.0 %   x conv",
                 "by operation:"] + ["%9.3f ms  1.0 %%  1 x  conv %d" % (i, i) for i in range(20)]
        text = table.profile_text(lines + ["      1.0 MiB of activations at most"])
        self.assertIn("by operation, 12 of 20:\n   19.000 ms", text)
        self.assertNotIn("conv 7", text)
        self.assertTrue(text.endswith("MiB of activations at most"))
        self.assertEqual(table.profile_text(["no GPU"]), "no GPU")


class Ways(unittest.TestCase):
    def test_a_processor_has_all_products(self):
        self.assertEqual(len(ways.all_of("cpu", "train", ["f32", "bf16"])), 4)
        self.assertEqual(len(ways.all_of("cpu", "eval", ["f32"])), 4)
        self.assertTrue(all(way["run"] == "eager" for way in ways.all_of("cpu", "eval", ["f32"])))

    def test_a_gpu_begins_with_the_likely_best(self):
        first = ways.all_of("cuda:1", "eval", [])[0]
        self.assertEqual(first, {"precision": "bf16", "layout": "channels_last", "fold": "fx",
                                 "run": "graph"})
        self.assertEqual(ways.text(first), "channels_last fx graph")


unittest.main()
