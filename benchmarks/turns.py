"""Training steps of two builds in turns: what a change gains, where the same program differs by more between minutes.

    scripts/dev turns OTHER CASE-DTYPE...    # OTHER: a copy of the step worker, made before the change
"""

import argparse
import os
import statistics
import tempfile

import cases
from measure import our_worker, quartiles


def compare(other, case, dtype, steps):
    with tempfile.TemporaryDirectory() as folder, our_worker(case, dtype, folder, program=other) as before, \
            our_worker(case, dtype, folder) as now:
        workers = {"before": before, "now": now}
        losses = {name: worker.ask()[4] for name, worker in workers.items()}
        seconds = {name: [] for name in workers}
        for _ in range(steps):
            for name, worker in workers.items():
                seconds[name].append(worker.ask()[0])
    gain = statistics.median(before / now for before, now in zip(*seconds.values()))
    columns = []
    for name, (low, middle, high) in ((name, quartiles(turns)) for name, turns in seconds.items()):
        columns.append(f"{name} {middle:.3f} s ({low:.3f} to {high:.3f}, loss {losses[name]:.6f})")
    print(f"{case}-{dtype}: {'; '.join(columns)}; before over now, median of {steps} turns: {gain:.3f}", flush=True)


def case_and_dtype(word):
    name, _, dtype = word.rpartition("-")
    if name not in cases.CASES or dtype not in ("fp32", "bf16"):
        raise argparse.ArgumentTypeError(f"{word}: a case is one of {', '.join(cases.CASES)}, with -fp32 or -bf16 behind it")
    return name, dtype


def program(path):
    if not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{path}: no program; copy build/cpu/bin/prescript_step_worker before the change")
    return path


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev turns")
    parser.add_argument("other", metavar="OTHER", type=program)
    parser.add_argument("cases", metavar="CASE-DTYPE", nargs="+", type=case_and_dtype)
    parser.add_argument("--steps", type=int, default=7)
    arguments = parser.parse_args()
    for case, dtype in arguments.cases:
        compare(arguments.other, case, dtype, arguments.steps)


if __name__ == "__main__":
    main()
