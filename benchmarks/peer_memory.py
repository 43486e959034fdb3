"""The peak resident memory of this process, as process_memory.h has it."""

import pathlib


def peak_kib():
    """Since the process began or forget_peak()."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def forget_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")
