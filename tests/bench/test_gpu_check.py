"""scripts/gpu-check where there is no GPU, and with a GPU, compiler and programs that pretend: one line
for what is missing, a table for what ran, within its time."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent.parent / "scripts/gpu-check"
NVIDIA_SMI = """#!/bin/sh
case $* in
*compute_cap*) echo 'A GPU, 999.1, 80000 MiB, 9.0' ;;
*) echo 'A GPU, 999.1, 80000 MiB, 1980 MHz, 700 W' ;;
esac
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        (self.root / "bin").mkdir()
        (self.root / "conformance").mkdir()
        (self.root / "conformance/small.json").write_text("{}")

    def tearDown(self):
        self.folder.cleanup()

    def provide(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def run_it(self, limit=60, path=None, **environment):
        begin = time.monotonic()
        done = subprocess.run(
            [SCRIPT, self.root / "conformance"], capture_output=True, text=True, check=False,
            timeout=100, env={**os.environ, "BUILD": str(self.root / "build"), "FAKES": str(HERE),
                              "LIMIT": str(limit), "PYTHON": sys.executable, **environment,
                              "PATH": path or "%s:%s" % (self.root / "bin", os.environ["PATH"])})
        self.took = time.monotonic() - begin
        return done

    def stopped(self, done, words):
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(words, done.stderr)

    def pretend(self):
        self.provide("nvidia-smi", NVIDIA_SMI)
        shutil.copy(HERE / "fake_cmake.sh", self.root / "bin/cmake")
        self.provide("compute-sanitizer", '#!/bin/sh\nexit 0\n')

    def test_no_driver(self):
        tools = "/usr/bin:/bin"
        if shutil.which("nvidia-smi", path=tools):
            self.skipTest("there is an nvidia-smi")
        self.stopped(self.run_it(path=tools), "no GPU here")
        self.assertFalse((self.root / "build").exists())

    def test_no_gpu(self):
        self.provide("nvidia-smi", "#!/bin/sh\necho 'No devices were found'\nexit 6\n")
        self.stopped(self.run_it(), "'No devices were found'")

    def test_cannot_configure(self):
        self.pretend()
        self.stopped(self.run_it(FAKE_CMAKE="error"), "no dnnl here ('scripts/install-deps build'")
        self.stopped(self.run_it(FAKE_CMAKE="nocuda"), "the device 'cuda' isn't built")

    def test_all_is_well(self):
        self.pretend()
        done = self.run_it(limit=300)
        self.assertEqual(done.returncode, 0, done)
        for row in (r"operations and networks against ref +passed", r"verify small f32 +passed",
                    r"verify small bf16 +passed", r"speed, beside PyTorch where it is +passed",
                    r"compute-sanitizer memcheck +passed", r"wrn_28_10.*, training, batch 128",
                    r"where the time of wrn_28_10 goes", r"gpu-check: passed"):
            self.assertRegex(done.stdout, row)
        kept = (self.root / "build/gpu-check.txt").read_text()
        self.assertTrue(kept.startswith("A GPU, 999.1, 80000 MiB, 9.0\ncommit "), kept)
        self.assertIn("where the time of wrn_28_10 goes", kept)
        self.assertTrue((self.root / "build/bench.json").exists())

    def test_failures_are_rows(self):
        self.pretend()
        done = self.run_it(limit=300, FAKE_FAIL="verify")
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stdout, r"verify small bf16 +FAILED \(1\), .*: softlabel: verify failed")
        self.assertRegex(done.stdout, r"speed, beside PyTorch where it is +passed")
        self.assertTrue((self.root / "build/failed-verify-small-bf16.log").exists())

    def test_the_time_is_kept(self):
        """What hangs is ended, and what follows isn't begun."""
        self.pretend()
        done = self.run_it(limit=66, FAKE_GPU_TEST="sleep 300")
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stdout, r"operations and networks against ref +FAILED, not finished")
        self.assertRegex(done.stdout, r"verify small f32 +not run: out of time")
        self.assertRegex(done.stdout, r"memcheck +no error so far, not finished|memcheck +passed")
        self.assertLess(self.took, 75)

    def test_the_driver_has_no_gpu(self):
        self.pretend()
        done = self.run_it(FAKE_GPU_TEST="echo 'skipped: no device'; exit 77", limit=100)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no device", done.stderr)


unittest.main()
