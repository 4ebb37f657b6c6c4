"""One process of pytorch_reference.py that makes many measurements, so that PyTorch starts once: each
with a time limit, behind which the process is ended and, for the next, another one started."""
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading

from sampling import Failed, TookTooLong

START_LIMIT = 120  # seconds until PyTorch has been loaded and has found its GPU


class Worker:
    def __init__(self, command):
        self.command, self.process, self.errors, self.hello = command, None, None, None

    def start(self):
        """Its first line: versions. Failed, with the reason, where PyTorch isn't or has no GPU."""
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                            start_new_session=True)
        except OSError as error:
            self.errors.close()
            raise Failed("'%s': %s" % (self.command[0], error.strerror)) from None
        self.hello = self.read(START_LIMIT)
        return self.hello

    def ask(self, job, limit):
        """What came of a job within so many seconds."""
        if not self.process:
            self.start()
        with contextlib.suppress(BrokenPipeError):  # reading tells why
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        answer = self.read(limit)
        if "error" in answer:  # a GPU's errors stay with the process
            self.stop()
            raise Failed(answer["error"])
        return answer

    def read(self, limit):
        late = threading.Event()

        def end():
            late.set()
            self.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if line.endswith("\n") and not late.is_set():
            return json.loads(line)
        words = self.last_words()
        self.stop()
        if late.is_set():
            raise TookTooLong("longer than %.0f s" % limit)
        raise Failed(words)

    def last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a word"

    def kill(self):
        """With what torch.compile has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self):
        if self.process:
            self.kill()
            self.process.wait()
            with contextlib.suppress(OSError):  # what it hasn't read
                self.process.stdin.close()
            self.process.stdout.close()
            self.errors.close()
            self.process = None
