#!/usr/bin/env python3
"""Makes tests/golden anew from independent oracles (transformers, tokenizers, PEFT, jinja2, gguf).

Every module of scripts/golden has a docstring that says what it makes and from which oracle, and
`make(output_dir: Path)`, which writes small files into tests/golden/<module>/. A golden file changes
only with its reason in the commit. Run it through `scripts/dev golden [NAME ...]`.
"""

import importlib
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
MAX_FOLDER_BYTES = 4 << 20  # goldens live in git


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(SCRIPTS))
    known = sorted(p.stem for p in (SCRIPTS / "golden").glob("*.py") if not p.stem.startswith("_"))
    names = sys.argv[1:] or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"make_golden.py: no such module: {', '.join(unknown)}\n  remedy: one of {', '.join(known)}")
    for name in names:
        output_dir = SCRIPTS.parent / "tests" / "golden" / name
        output_dir.mkdir(parents=True, exist_ok=True)
        importlib.import_module(f"golden.{name}").make(output_dir)
        total = sum(p.stat().st_size for p in output_dir.rglob("*") if p.is_file())
        print(f"tests/golden/{name}: {total:,} bytes")
        if total > MAX_FOLDER_BYTES:
            sys.exit(f"make_golden.py: tests/golden/{name} is larger than {MAX_FOLDER_BYTES:,} bytes")


if __name__ == "__main__":
    main()
