#!/usr/bin/env python3
"""Shows how a model answers the questions of a JSONL file without and with an adapter, side by side.

One call of `prescript generate` answers all of them: a line whose "adapter" is null runs under the base.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

NAME = "demo"


def request_lines(questions):
    """Each question twice: under the base, and under the adapter."""
    for index, question in enumerate(questions):
        for adapter in (None, NAME):
            yield json.dumps(question | {"id": f"{index}/{adapter or 'base'}", "adapter": adapter})


def generate(options, questions):
    """Answers by id, as the program prints them."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as requests:
        requests.write("\n".join(request_lines(questions)) + "\n")
        requests.flush()
        command = [options.program, "generate", "--model", options.model]
        command += ["--adapter", f"{NAME}={options.adapter}", "--input", requests.name]
        command += ["--max-new-tokens", str(options.max_new_tokens), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


def show(label, text, width):
    body = " ".join(text.split())
    print(textwrap.fill(body, width, initial_indent=f"  {label:<8} ", subsequent_indent=" " * 11))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("program", "model", "adapter", "input"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    options = parser.parse_args()

    questions = [json.loads(line) for line in Path(options.input).read_text("utf-8").splitlines() if line]
    answers = generate(options, questions)
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
    for index, question in enumerate(questions):
        print(f"\n{bold}{question['question']}{plain}")
        for label, key in (("without", "base"), ("with", NAME)):
            answer = answers[f"{index}/{key}"]
            show(label, answer["text"] + (" […]" if answer["stop"] == "length" else ""), width)


if __name__ == "__main__":
    main()
