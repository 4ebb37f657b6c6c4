"""compare_on_processor.py SOFTLABEL: bench/compare --budget with the real programs on the processor,
a small network and little time. Skipped without PyTorch."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
SKIPPED = 77


def main():
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bench.json"
        done = subprocess.run(
            [sys.executable, str(BENCH / "compare"), "--softlabel", sys.argv[1], "--budget", "60",
             "--seconds", "0.05", "--batch", "2", "--rounds", "1", "--out", str(out),
             "shake_shake_8_2x16d_SSI"], capture_output=True, text=True, check=False)
        report = json.loads(out.read_text())
    if report["pytorch"].startswith("not there"):
        print("skipped:", report["pytorch"])
        sys.exit(SKIPPED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["peak"]["f32"]["gflops_per_second"] > 0
    (entry,) = report["models"]
    for mode, least in (("train", 2), ("eval", 4)):
        programs = [row["program"] for row in entry[mode]["rows"]]
        assert "softlabel" in programs and programs.count("pytorch") >= least, entry[mode]
        assert entry[mode]["bars"]["speed"]["value"] > 0


main()
