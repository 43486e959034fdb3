#!/usr/bin/env python3
"""Proves the layers of docs/ARCHITECTURE.md from the #include lines of src and cuda.

Checked: the arrows between folders (transitive), where third-party headers may appear, that text of
JSON and YAML is parsed in one place each, and that every src/**/*.cc has its tests/**/*_test.cc
(a unit of several files, gguf.cc and gguf_values.cc, may share gguf_test.cc; of src/cli every file that
adds a command, since tests run the program).

    scripts/check_layers.py [ROOT]      prints one line per violation; exit 1 when there is one
"""

import re
import sys
from pathlib import Path

# Folder -> the folders it may include directly; what those may include follows from it.
ARROWS = {
    "base": [],
    "statistics": ["base"],
    "io": ["base"],
    "text": ["io"],
    "exemplars": ["text"],
    "report": ["text", "statistics"],
    "recipe": ["io", "base"],
    "forest": ["base"],
    "cuda": ["base"],
    "ops": ["forest", "base", "cuda"],
    "model": ["ops", "io"],
    "adapter": ["io"],
    "infer": ["model", "text", "adapter"],
    "comm": ["base"],
    "train": ["infer", "comm"],
    "evaluate": ["infer", "report", "exemplars"],
    "serve": ["infer"],
    "audit": ["statistics"],
    "http": ["base"],
    "rating": ["http", "text", "report"],
    "cli": ["recipe", "train", "evaluate", "serve", "exemplars", "rating", "audit"],
}

# The one header of cuda/ that the rest of the program may see.
CUDA_SEAM = "cuda/kernels.h"

# The primitives of kernels that a host compiler sees: tests/emulator has their models.
EMULATED = ("cuda/portable.cuh", "emulator/device_code.h")

# Third-party header (regular expression) -> where it may be included (path prefixes).
EXTERNAL = {
    r"(torch|ATen|c10|caffe2)/": ["src/ops/", "src/comm/"],
    r"(cuda|cublas|nccl|nv|cooperative_groups|cub/|thrust/)": ["cuda/", "src/ops/", "src/comm/"],
    r"yaml-cpp/": ["src/io/yaml.cc"],
    r"pugixml": ["src/io/xml.cc"],
    r"nlohmann/json_fwd\.hpp": ["src/"],
    # A slow header: sources use the values that io/json.h hands out, headers forward-declare them.
    r"nlohmann/(?!json_fwd)": ["src/**.cc"],
    r"pcre2": ["src/text/"],
    r"openssl/": ["src/base/"],
    r"CLI/": ["src/cli/"],
    r"boost/": ["src/http/"],
    r"sqlite3": ["src/rating/"],
}

# Code (regular expression) -> the one file that may hold it: limits on hostile text live there.
ONLY_IN = {
    r"\bjson::(parse|accept|sax_parse|from_\w+)\b": "src/io/json.cc",
    r"\bYAML::(Load\w*|Parser)\b": "src/io/yaml.cc",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SOURCES = {".cc", ".h", ".cu", ".cuh"}


def reachable(folder):
    """The folders that `folder` may include, itself among them."""
    found, waiting = {folder}, [folder]
    while waiting:
        for target in ARROWS[waiting.pop()]:
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def folder_of(path):
    """"src/io/json.h" -> "io", "cuda/rotary.cu" -> "cuda"."""
    parts = path.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def allowed_in(path, places):
    suffix_rules = [place[len("src/**"):] for place in places if place.startswith("src/**")]
    prefixes = tuple(place for place in places if not place.startswith("src/**"))
    return path.startswith(prefixes) or (suffix_rules and path.endswith(tuple(suffix_rules)))


def check_own_include(path, target, root):
    folder = folder_of(path)
    if (path, target) == EMULATED:
        return None
    target_folder = target.split("/")[0]
    if target_folder not in ARROWS:
        return f'"{target}" is not spelled "folder/file.h" from src'
    home = root if target_folder == "cuda" else root / "src"
    if not (home / target).is_file():
        return f'"{target}" does not exist'
    if target_folder not in reachable(folder):
        return f'{folder} must not include {target_folder} ("{target}")'
    if target_folder == "cuda" and folder != "cuda":
        if folder != "ops" or target != CUDA_SEAM:
            return f'only ops may include cuda, and only {CUDA_SEAM} ("{target}")'
    return None


def check_external_include(path, target):
    for pattern, places in EXTERNAL.items():
        if re.match(pattern, target) and not allowed_in(path, places):
            return f"<{target}> belongs in {', '.join(places)} only"
    return None


def check_file(path, text, root):
    """Yields (line number, violation)."""
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            own, external = include.groups()
            problem = check_own_include(path, own, root) if own else check_external_include(path, external)
            if problem:
                yield number, problem
        for pattern, place in ONLY_IN.items():
            if path != place and re.search(pattern, line.split("//")[0]):
                yield number, f"only {place} may call this"


def missing_test(path, text, root):
    """The test that src/folder/a_b.cc should have; None when a_b_test.cc or a_test.cc exists."""
    if path.startswith("src/cli/") and not re.search(r"^void add_\w+\(CLI::App& program, Action", text, re.MULTILINE):
        return None
    own = path.removeprefix("src/").removesuffix(".cc")
    words = own.split("_")
    for count in range(len(words), 0, -1):
        if (root / "tests" / ("_".join(words[:count]) + "_test.cc")).is_file():
            return None
    return f"tests/{own}_test.cc"


def check(root):
    """All violations under `root`, one line each."""
    problems = []
    files = sorted(p for top in ("src", "cuda") for p in (root / top).rglob("*") if p.suffix in SOURCES)
    if not files:
        return [f"{root}: no sources found"]
    for file in files:
        path = file.relative_to(root).as_posix()
        if folder_of(path) not in ARROWS:
            problems.append(f"{path}: scripts/check_layers.py knows no arrows of this folder")
            continue
        text = file.read_text(encoding="utf-8")
        for number, problem in check_file(path, text, root):
            problems.append(f"{path}:{number}: {problem}")
        if path.startswith("src/") and file.suffix == ".cc":
            test = missing_test(path, text, root)
            if test:
                problems.append(f"{path}: its test {test} is missing")
    return problems


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    problems = check(root)
    print("\n".join(problems) if problems else "layers: every include follows an arrow")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
