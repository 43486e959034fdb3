"""Collects what scripts/gpu_check runs in one folder: programs, their libraries but LibTorch's and CUDA's, a tiny model with
exemplars, and the cpu backend's loss curves on it."""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/cuda"
PROGRAMS = ("prescript", "prescript_kernels_test", "prescript_cuda_benchmark")
MAX_BYTES = 60 << 20
COMPRESSED_BYTES = 2 << 20  # programs and libraries above are packed as .gz, which gpu_check unpacks
# As in the bundle (src/cli/CMakeLists.txt), and what comes with PyTorch and the driver.
LEFT_OUT = re.compile(r"^(linux-vdso|ld-linux|lib(c|dl|m|pthread|rt|util)\.so"
                      r"|lib(torch|torch_cpu|c10|gomp|cudart|cublas|cublasLt|cuda)\.so)")
LEFT_OUT_FOLDERS = ("/site-packages/", "/usr/local/cuda")
NUM_EXEMPLARS = 24
RECIPE = """base_model: tiny
dtype: fp32
soft_prompt:
  num_virtual_tokens: 16
  init: {from: vocabulary}
data:
  train: train.jsonl
  validation: validation.jsonl
  instruction: Answer as a careful clinician would, in plain words, and say when to seek help.
optimizer: {learning_rate: 0.01, weight_decay: 0, clip_norm: 1}
training:
  steps: 10
  batch_size: 3
  micro_batch_tokens: 8192
  seed: 7
  evaluate_every: 5
  checkpoint_every: 10
output: out
"""


def run(*command, **keywords):
    return subprocess.run([str(word) for word in command], check=True, **keywords)


def library_path():
    folders = [f"{torch}/lib" for torch in ROOT.glob(".venv/lib/python3*/site-packages/torch")]
    folders += [str(path) for path in ROOT.glob(".venv*/lib/python3*/site-packages/nvidia/*/lib")]
    return ":".join([*folders, "/usr/local/cuda/lib64", "/usr/local/cuda/lib"])


def copy_libraries(folder):
    environment = dict(os.environ, LD_LIBRARY_PATH=library_path())
    (folder / "lib").mkdir()
    for program in PROGRAMS:
        listed = run("ldd", folder / "bin" / program, env=environment, capture_output=True, text=True).stdout
        for name, path in re.findall(r"^\s*(\S+) => (.*?)(?: \(0x\w+\))?$", listed, re.M):
            is_theirs = LEFT_OUT.match(name) or any(part in path for part in LEFT_OUT_FOLDERS)
            if is_theirs or (folder / "lib" / name).exists():
                continue
            if not Path(path).exists():
                sys.exit(f"gpu_check: {program} needs {name}, which is not there")
            shutil.copy(path, folder / "lib" / name)


def compress(folder):
    for path in [*(folder / "bin").iterdir(), *(folder / "lib").iterdir()]:
        if path.stat().st_size > COMPRESSED_BYTES:
            run("gzip", "-9", "-n", path)


def write_golden(folder):
    """The tiny model, what it is trained on, and the curves of the cpu backend."""
    folder.mkdir()
    run(BUILD / "bin/prescript_tiny_model", folder / "tiny")
    for which in ("train", "validation"):
        lines = (ROOT / f"exemplars/consumer_health.{which}.jsonl").read_text().splitlines(keepends=True)
        (folder / f"{which}.jsonl").write_text("".join(lines[:NUM_EXEMPLARS if which == "train" else 2]))
    (folder / "recipe.yaml").write_text(RECIPE)
    for dtype in ("fp32", "bf16"):
        run(BUILD / "bin/prescript", "train", "recipe.yaml", f"dtype={dtype}", "device=cpu", "--overwrite", cwd=folder,
            stdout=subprocess.DEVNULL)
        shutil.copy(folder / "out/metrics.jsonl", folder / f"{dtype}.jsonl")
        shutil.rmtree(folder / "out")


def facts():
    git = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True,
                         check=False)
    version = run(BUILD / "bin/prescript", "--version", capture_output=True, text=True).stdout
    toolkit = re.search(r"CUDA [0-9.]+", version)
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"commit": git.stdout.strip() or "unknown", "toolkit": toolkit[0] if toolkit else "unknown",
            "date": str(datetime.date.today()),
            "golden": f"the cpu backend on {processor[1] if processor else 'an unknown processor'}, {datetime.date.today()}"}


def pack(folder):
    run(ROOT / "scripts/build", "cuda", *PROGRAMS, "prescript_tiny_model", stdout=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run("cmake", "--install", BUILD, "--component", "gpu_check", "--strip", "--prefix", folder, stdout=subprocess.DEVNULL)
    copy_libraries(folder)
    compress(folder)
    write_golden(folder / "golden")
    for part in ("decoder", "families"):
        shutil.copytree(ROOT / "tests/golden" / part, folder / "tests/golden" / part)
    scripts = (f"scripts/{name}" for name in ("gpu_check", "gpu_check.py", "gpu_machine.py", "gpu_report.py"))
    for name in (*scripts, "benchmarks/flash_attention.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "built.json").write_text(json.dumps(facts(), indent=1) + "\n")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 2**20:.1f} MiB", file=sys.stderr)
    if size > MAX_BYTES:
        sys.exit(f"gpu_check: {folder} holds more than {MAX_BYTES >> 20} MiB")
