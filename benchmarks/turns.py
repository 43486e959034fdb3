"""Training steps of two builds in turns: what a change gains, where the same program differs by more between minutes.

    scripts/dev turns OTHER CASE-DTYPE...    # OTHER: a copy of the step worker, made before the change
"""

import argparse
import statistics
import tempfile

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
    gain = statistics.median(b / n for b, n in zip(*seconds.values()))
    columns = [f"{name} {middle:.3f} s ({low:.3f} to {high:.3f}, loss {losses[name]:.6f})"
               for name, (low, middle, high) in ((name, quartiles(s)) for name, s in seconds.items())]
    print(f"{case}-{dtype}: {'; '.join(columns)}; before over now, median of {steps} turns: {gain:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev turns")
    parser.add_argument("other", metavar="OTHER")
    parser.add_argument("cases", metavar="CASE-DTYPE", nargs="+")
    parser.add_argument("--steps", type=int, default=7)
    arguments = parser.parse_args()
    for case in arguments.cases:
        compare(arguments.other, *case.rsplit("-", 1), arguments.steps)


if __name__ == "__main__":
    main()
