"""What a row of each table is measured by: both sides of a comparison take turns, so that a noisy machine hits both alike."""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import cases
from worker import ROOT, Died, TooLong, Worker, turn

MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
PROGRAMS = pathlib.Path(os.environ.get("PRESCRIPT_BUILD", ROOT / "build" / "cpu")) / "bin"
STEP_WORKER = PROGRAMS / "prescript_step_worker"
HERE = pathlib.Path(__file__).parent
STEPS, FEW_STEPS, LONG_STEP_S = 5, 3, 60  # FEW_STEPS where one takes longer than LONG_STEP_S
MOST_BUSY = 3  # processes beside a step
# A peer is not waited for when a step takes longer than this and than so many of ours: more than any target asks for.
LEAST_LIMIT_S, LIMIT_RATIO = 3 * 60, 16
COMPILING_S = 40 * 60  # torch.compile's time, the first step included
OFTEN_FAIL = ("P1c", "P3")  # on some machines; that another does not run is a mistake of this benchmark
SAME_LOSS = {"fp32": 1e-4, "bf16": 1e-2}  # relative: both sides begin with the same soft prompt


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive")


def say(text):
    print(f"  {text}", file=sys.stderr)


def our_worker(name, dtype, folder, *options, program=STEP_WORKER):
    case = cases.CASES[name]
    path = pathlib.Path(folder) / "sequences.txt"
    path.write_text("".join(f"{begin} {' '.join(map(str, ids))}\n" for begin, ids in case.sequences()))
    return Worker(program, MODEL, dtype, case.num_virtual, path, *options)


def warm_peer(peer, name, dtype, limit_s):
    """A worker behind two steps, one where it is a long one, and what it said of the first. Raises Died and TooLong."""
    largest = len(cases.CASES[name].lengths)
    while True:
        worker = None
        try:
            worker = Worker(sys.executable, "-B", HERE / "peer_worker.py", peer, name, dtype, largest, limit_s=limit_s)
            first = worker.ask("step", limit_s)
            if first[0] <= LONG_STEP_S or peer == "P1c":
                worker.ask("step", limit_s)  # it takes more memory than the first
            return worker, first
        except (Died, TooLong) as error:
            if worker:
                worker.close()
            if largest == 1 or not isinstance(error, Died) or not error.is_short_of_memory():
                raise
        largest //= 2


def compare(name, dtype, peer):
    """Training steps beside a peer's; our first and what warm_peer asked for do not count."""
    with tempfile.TemporaryDirectory() as folder, our_worker(name, dtype, folder) as ours:
        own_first = ours.ask()
        limit_s = COMPILING_S if peer == "P1c" else max(LEAST_LIMIT_S, round(LIMIT_RATIO * own_first[0]))
        try:
            theirs, first = warm_peer(peer, name, dtype, limit_s)
        except Died as death:
            if peer not in OFTEN_FAIL and not death.is_short_of_memory():
                raise SystemExit(f"{name}-{dtype}: {peer} has to run, but ended with: {death}") from death
            return {"failed": f"does not run: {death}"}
        except TooLong:
            if peer == "P1c":
                return {"failed": f"compiling and the first step take over {limit_s} s"}
            return our_figures(own_first, [ours.ask() for _ in range(FEW_STEPS)]) | {"peer_at_least_s": limit_s}
        with theirs:
            check_same_loss(f"{name}-{dtype}", own_first[4], first[2], peer)
            steps, count = [], STEPS
            while len(steps) < count:
                mine, others = ours.ask(), theirs.ask()
                if others[0] > LONG_STEP_S:
                    count = FEW_STEPS
                if steps and others[3] != steps[-1][1][3]:
                    steps.clear()  # its memory was short, its micro-batch is another now
                steps.append((mine, others))
                say(f"{name}-{dtype} {peer}: step {len(steps)} of {count}: {mine[0]:.2f} s, {peer} {others[0]:.2f} s")
    return our_figures(own_first, [mine for mine, _ in steps]) | {
        "peer_seconds": quartiles([others[0] for _, others in steps]),
        "peer_peak_kib": max(others[1] for _, others in steps), "micro_batch": int(steps[0][1][3]),
    }


def our_figures(first, steps):
    return {"seconds": quartiles([s[0] for s in steps]), "steps": len(steps), "peak_kib": max(s[1] for s in steps),
            "whole_peak_kib": max(s[1] for s in [first, *steps]), "rows": steps[0][2], "flops": steps[0][3]}


def check_same_loss(where, own, others, peer):
    if not abs(own - others) <= SAME_LOSS[where.rsplit("-", 1)[1]] * others:
        raise SystemExit(f"{where}: our loss is {own}, that of {peer} {others}: they do not do the same")


def sharing(name, dtype, _):
    """Our steps with sharing and without, and the peak of the processor before each pair."""
    with tempfile.TemporaryDirectory() as folder, our_worker(name, dtype, folder) as shared, \
            our_worker(name, dtype, folder, "unshared") as unshared:
        steps, peaks, count = [], [], STEPS
        while len(steps) <= count:
            peaks.append(peak_flops(dtype))
            steps.append((shared.ask(), unshared.ask()))
            if steps[0][1][0] > LONG_STEP_S:
                count = FEW_STEPS
            say(f"{name}-{dtype}: {steps[-1][0][0]:.2f} s, without sharing {steps[-1][1][0]:.2f} s")
    others = [s[1] for s in steps[1:]]
    return our_figures(steps[0][0], [s[0] for s in steps[1:]]) | {
        "peer_seconds": quartiles([s[0] for s in others]), "peer_rows": others[0][2], "peer_flops": others[0][3],
        "peak_flops": max(peaks), "least_peak_flops": min(peaks),
    }


def peak_flops(dtype):
    """What this processor does in a second, in products of `dtype` that lie in registers and in cache."""
    with turn():
        run = subprocess.run([PROGRAMS / "prescript_peak", dtype], check=True, capture_output=True, text=True)
    return float(run.stdout)


def evaluation(_, dtype, peer):
    """Rows a second of evaluations and of training steps, on the sequences of case B."""
    with tempfile.TemporaryDirectory() as folder, our_worker("B", dtype, folder) as worker:
        turns = [(worker.ask("evaluate"), worker.ask("step")) for _ in range(STEPS + 1)][1:]
    rates = [quartiles([answer[2] / answer[0] for answer in side]) for side in zip(*turns)]
    say(f"evaluation-{dtype}: {rates[0][1]:.0f} rows/s, training {rates[1][1]:.0f} rows/s")
    return {"rows_per_s": rates[0], "peer_rows_per_s": rates[1], "steps": STEPS}


@contextlib.contextmanager
def busy(count):
    """While it lasts, so many processes take all the processor that they get."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def beside_others(_, dtype, peer):
    """Steps of the least case, alone and beside busy processes."""
    with tempfile.TemporaryDirectory() as folder, our_worker("break-even", dtype, folder) as worker:
        worker.ask()
        seconds = []
        for count in range(MOST_BUSY + 1):
            with busy(count):
                seconds.append(quartiles([worker.ask()[0] for _ in range(STEPS)]))
            say(f"beside-others-{dtype}: {count} busy, {seconds[-1][1]:.2f} s")
    return {"seconds_beside": seconds, "steps": STEPS}


def as_stored(_, dtype, peer):
    """Steps of case B on weights that stay in their file, and on converted ones."""
    with tempfile.TemporaryDirectory() as folder, our_worker("B", dtype, folder, "as_stored") as stored, \
            our_worker("B", dtype, folder) as converted:
        turns = []
        for _ in range(STEPS + 1):
            turns.append((stored.ask(), converted.ask()))
            say(f"as-stored-{dtype}: {turns[-1][0][0]:.2f} s, converted {turns[-1][1][0]:.2f} s")
    own, others = zip(*turns[1:])
    return {"seconds": quartiles([s[0] for s in own]), "peer_seconds": quartiles([s[0] for s in others]), "steps": STEPS,
            "weights_kib": max(s[5] for s in own), "peer_weights_kib": max(s[5] for s in others),
            "peak_kib": max(s[1] for s in own), "peer_peak_kib": max(s[1] for s in others),
            "file_bytes": MODEL.stat().st_size}
