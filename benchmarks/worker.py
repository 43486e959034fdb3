"""Processes that do one piece of work for every line they are given, and the lock under which they take turns."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import resource
import select
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MEMORY = 20 << 30  # what a worker may take
TURN_LOCK = "PRESCRIPT_TURN_LOCK"


class Died(Exception):
    """Of a worker: its last words."""

    def is_short_of_memory(self):
        return any(word in str(self).lower() for word in ("alloc", "memory", "killed"))


class TooLong(Exception):
    """A worker has not answered in time."""


@contextlib.contextmanager
def turn():
    """While it lasts nothing else runs that takes this lock: another benchmark's turn, or a build under `flock`."""
    path = pathlib.Path(os.environ.get(TURN_LOCK) or ROOT / "build" / "bench" / "turn.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _bound_to_parent():
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed benchmark leaves no worker behind


class Worker:
    """Made when it has said "ready"; a context that ends the process."""

    def __init__(self, *command, limit_s=None):
        self.errors = tempfile.TemporaryFile("w+")
        with turn():
            self.process = subprocess.Popen(list(map(str, command)), text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=_bound_to_parent)
            try:
                answer = self._answer(limit_s)
                if answer != "ready":
                    raise Died(f"said {answer[:100]!r} instead of ready")
            except Exception:
                self.close()
                raise

    def ask(self, line="step", limit_s=None):
        """The numbers of its answer. Raises Died and TooLong."""
        with turn():
            try:
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # its end says why
            return list(map(float, self._answer(limit_s).split()))

    def _answer(self, limit_s):
        if not select.select([self.process.stdout], [], [], limit_s)[0]:
            raise TooLong
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise Died(self._last_words())
        return line.strip()

    def _last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        if lines and self.process.returncode > 0:
            return lines[-1][:200]
        return "killed" if self.process.returncode < 0 else f"exit code {self.process.returncode}"

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
