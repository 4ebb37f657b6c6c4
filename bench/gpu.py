"""What nvidia-smi tells of a GPU."""
import subprocess

FIELDS = ["name", "driver_version", "memory.total", "clocks.max.sm", "power.limit"]


def describe(device):
    """Of cuda or cuda:N; None where nothing can be told."""
    number = device.partition(":")[2] or "0"
    command = ["nvidia-smi", "--id=" + number, "--query-gpu=" + ",".join(FIELDS),
               "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    values = [value.strip() for value in done.stdout.strip().split(",")]
    names = ("name", "driver", "memory", "most_clock", "power_limit")
    return dict(zip(names, values)) if len(values) == len(names) else None


def text(gpu):
    return "%(name)s, %(memory)s, driver %(driver)s, up to %(most_clock)s and %(power_limit)s" % gpu
