"""Times prescript beside its peers and writes the tables of docs/PERFORMANCE.md.

Cases A to F are training steps (benchmarks/cases.py), each beside every peer and beside itself without sharing;
  break-even  the least that sharing has to pay for: 32 shared rows, two sequences
  evaluation  rows a second beside those of training
  start       from the start of the program to the begin of its first step
  generation  greedy answers to 16 questions beside llama.cpp
  as-stored   steps on weights that stay quantised in memory beside converted ones
  search      six candidates in one run beside six runs
  head-start  what a soft prompt learns behind a hard prompt that is computed once, beside one before it
  beside-others  steps alone and beside one to three busy processes
  estimate    the seconds of a step that `prescript estimate` tells beside those that a step takes
A finished row is kept in docs/performance.jsonl, and a later run goes on behind it.

Every turn holds an exclusive lock on build/bench/turn.lock, or on the file that PRESCRIPT_TURN_LOCK names, so that a build
under `flock build/bench/turn.lock cmake ...` waits for the end of a turn, and a turn for the end of the build.
"""

import argparse
import sys

import generation
import measure
import page
import rows
import runs
from worker import Died

DTYPES = ("fp32", "bf16")
PEERS = ("P2", "P3", "P1", "P1c")
# Of every case: its dtypes, and for each of its rows the peer and what measures it. What takes minutes comes first.
CASES = {
    "break-even": (DTYPES, [("unshared", measure.sharing)]),
    "evaluation": (DTYPES, [("training", measure.evaluation)]),
    "start": (DTYPES, [("", runs.start)]),
    "as-stored": (("bf16",), [("converted", measure.as_stored)]),
    "generation": (("bf16",), [("llama.cpp", generation.generation)]),
    "beside-others": (("fp32",), [("", measure.beside_others)]),
    "estimate": (DTYPES, [("", runs.estimate)]),
    "search": (("bf16",), [("six runs", runs.search)]),
    "head-start": (("bf16",), [("start", runs.head_start)]),
} | {name: (DTYPES, [("unshared", measure.sharing), *((peer, measure.compare) for peer in PEERS)]) for name in "ABCDEF"}


def chosen_rows(parser, words):
    """(case, dtype, peer, what measures it) of the words, all where there is none; float32 first: some peers take long in
    bfloat16."""
    every = [(case, dtype, *row) for dtype in DTYPES for case, (dtypes, of_case) in CASES.items() if dtype in dtypes
             for row in of_case]

    def names(row):
        case, dtype, peer, _ = row
        return case, f"{case}-{dtype}", f"{case}-{dtype}-{peer}"

    for word in words:
        if not any(word in names(row) for row in every):
            parser.error(f"no such case: {word}; cases are {', '.join(CASES)}, with -fp32 or -bf16 behind them or without, and "
                         f"of A to F one row, as in C-fp32-P2")
    return [row for row in every if not words or any(word in names(row) for word in words)]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE",
                        help="a case, one dtype of it (B-bf16), or one row (B-bf16-P3); default: all")
    parser.add_argument("--again", action="store_true", help="measure the rows of these cases anew")
    arguments = parser.parse_args()
    chosen = chosen_rows(parser, arguments.cases)
    origin = rows.origin()
    for name, dtype, peer, measured_by in chosen:
        label = f"{name}-{dtype} {peer}".strip()
        if not arguments.again and (origin["machine"], name, dtype, peer) in rows.stored():
            print(f"{label}: kept from before ({rows.ROWS})", file=sys.stderr)
            continue
        print(label, file=sys.stderr)
        try:
            measured = measured_by(name, dtype, peer)
        except Died as death:
            raise SystemExit(f"{label}: a worker ended amid its steps: {death}\nThe next run measures this row anew.") from death
        rows.keep({"case": name, "dtype": dtype, "peer": peer} | measured | origin)
        page.write(rows.stored().values())
    own = [row for key, row in rows.stored().items() if key[0] == origin["machine"]]
    print("\n".join(page.tables(own) + page.beside_peft(own)))


if __name__ == "__main__":
    main()
