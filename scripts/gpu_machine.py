"""What a machine has for scripts/gpu_check: cards, and PyTorch's libraries."""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

TORCH_VERSION = "2.11.0"


def number_of_cards():
    """By the driver itself: its tools may be absent."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def find_torch(root):
    """(site-packages, version) of the LibTorch to load, or None: the project's own, else that of python3."""
    ask = "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s else '')"
    origins = [str(path) for path in root.glob(".venv/lib/python3*/site-packages/torch/__init__.py")]
    for python in dict.fromkeys([sys.executable, shutil.which("python3")]):
        origins.append(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False).stdout.strip())
    for origin in filter(None, origins):
        folder = Path(origin).parent
        version = re.search(r"__version__ = '([^']*)'", (folder / "version.py").read_text())
        if version and version[1].split("+")[0] == TORCH_VERSION:
            return folder.parent, version[1]
    return None


def library_folders(site_packages):
    return [site_packages / "torch/lib", *sorted(site_packages.glob("nvidia/*/lib")), Path("/usr/local/cuda/lib64")]


def describe_card():
    ask = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit", "--format=csv,noheader"]
    try:
        first = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return {"name": "a card that nvidia-smi does not know"}
    names = ("name", "driver", "memory", "clock", "power")
    return dict(zip(names, (word.strip() for word in first.split(","))))
