"""One program run once: what it reports, its peak memory, and whether others disturbed it."""
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

DISTURBED = 0.04  # of one core


def precisions(device="cpu"):
    """What the device computes without being told how in plain loops: on a processor, bf16 takes
    AVX-512."""
    if device.startswith("cuda"):
        return ["f32", "bf16"]
    with open("/proc/cpuinfo") as info:
        return ["f32", "bf16"] if " avx512bw " in info.read() else ["f32"]


class Interrupted(Exception):
    pass


class Failed(Exception):
    pass


class TookTooLong(Failed):
    pass


def interrupt(signum, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; `timeout` sends two
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Interrupted


def catch_signals():
    """SIGINT and SIGTERM raise Interrupted, once."""
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def busy_seconds():
    """CPU time that anyone has used on this machine, stolen time included."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def run(command, limit=None):
    """What the program prints, as JSON; with its peak memory, seen from outside, and "others": how
    much of one core other programs used meanwhile. limit: seconds, TookTooLong behind them."""
    own = os.times()
    busy, start = busy_seconds(), time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        timer = threading.Timer(limit or 0, os.kill, (process.pid, signal.SIGKILL))
        if limit:
            timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except Interrupted:
            process.kill()
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall, busy = time.perf_counter() - start, busy_seconds() - busy
        output.seek(0)
        text = output.read()
    if limit and process.returncode == -signal.SIGKILL:
        raise TookTooLong("longer than %.0f s" % limit)
    if process.returncode:
        raise Failed("'%s' failed with %d" % (" ".join(command), process.returncode))
    after = os.times()
    busy -= usage.ru_utime + usage.ru_stime
    busy -= after.user + after.system - own.user - own.system
    return {**json.loads(text), "peak_rss_bytes": 1024 * usage.ru_maxrss,
            "others": max(0.0, busy / wall)}


def run_undisturbed(command, attempts):
    """The first run that nothing disturbed, or the least disturbed of so many."""
    best = None
    for _ in range(attempts):
        result = run(command)
        if best is None or result["others"] < best["others"]:
            best = result
        if best["others"] <= DISTURBED:
            break
    return best
