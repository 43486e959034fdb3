"""The measured rows, one a line of a file that every run adds to, and what they say of where they come from."""

import datetime
import json
import os
import subprocess

from worker import ROOT

ROWS = ROOT / "docs" / "performance.jsonl"
PACKAGES = ("torch", "transformers", "peft", "prefix-grouper", "llama-cpp-python")


def lines(path) -> list:
    """Every row of a file; a line that was cut off is none."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def stored(path=ROWS) -> dict:
    """By (machine, case, dtype, peer), the last of each."""
    return {(row["machine"], row["case"], row["dtype"], row["peer"]): row for row in lines(path)}


def keep(row, path=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        is_cut_off = file.tell() > 0 and path.read_bytes()[-1:] != b"\n"
        file.write(b"\n" * is_cut_off + json.dumps(row).encode() + b"\n")


def origin() -> dict:
    """Machine, versions and date of the rows measured now."""
    return {"machine": machine(), "versions": versions(), "date": datetime.date.today().isoformat()}


def machine():
    info = subprocess.run(["lscpu"], check=True, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    flags = set(fields["Flags"].split())
    vectors = next((n for f, n in (("avx512_bf16", "AVX-512 BF16"), ("avx512f", "AVX-512"), ("avx2", "AVX2")) if f in flags), "")
    return f"{fields['Vendor ID'].strip()} family {fields['CPU family'].strip()} model {fields['Model'].strip()}, " \
           f"{vectors}, {os.cpu_count()} threads"


def versions():
    """Of this program (its commit; + where its sources differ from it) and of the peers."""
    from importlib.metadata import version

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "of no commit"
    is_changed = git("status", "--porcelain", "--", "src") != ""
    return ", ".join([f"prescript {commit}{'+' * is_changed}", *(f"{name} {version(name)}" for name in PACKAGES)])
