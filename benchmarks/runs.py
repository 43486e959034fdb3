"""What whole runs of `prescript train` take, and what they learn."""

import contextlib
import itertools
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from measure import FEW_STEPS, PROGRAMS, STEPS, quartiles, say
from worker import ROOT, turn

PROGRAM, RECIPE = PROGRAMS / "prescript", ROOT / "recipes" / "demo.yaml"
LEARNING_RATES, WEIGHT_DECAYS = (0.001, 0.003, 0.01), (0, 1e-5)
SEEDS = (1, 2, 3)
# A hard prompt that is worth computing once: an instruction and two worked exemplars.
HARD_PROMPT = ["data.few_shot=2",
               "data.instruction=Answer the question for a patient, in plain words, and say when to see a doctor."]


@contextlib.contextmanager
def trained(*settings):
    """The directory of a run of the demo, the time it began and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder, turn():
        command = [PROGRAM, "train", RECIPE, f"output={folder}/run", *settings]
        begin = time.time()
        subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=ROOT)
        yield pathlib.Path(folder, "run"), begin, time.time() - begin


def steps_of(directory):
    """The lines of metrics.jsonl that tell what a step takes."""
    return [line for line in map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
            if "share_of_peak" in line]


def start(_, dtype, peer):
    """From the start of the program to the begin of its first step; before it, once to fill the page cache and to know the
    base's hash."""
    seconds = []
    for _ in range(STEPS + 1):
        with trained(f"dtype={dtype}", "training.steps=1", "data.validation=null") as (directory, begin, _):
            written = (directory / "metrics.jsonl").stat().st_mtime
            seconds.append(written - steps_of(directory)[0]["seconds"] - begin)
        say(f"start-{dtype}: {seconds[-1]:.2f} s")
    return {"seconds": quartiles(seconds[1:]), "steps": STEPS}


def search(_, dtype, peer):
    """Six candidates in one run, in turns with six runs; each is two steps of four exemplars, and three validations of four."""
    with tempfile.TemporaryDirectory() as folder:
        validation = pathlib.Path(folder, "validation.jsonl")
        lines = (ROOT / "exemplars" / "consumer_health.validation.jsonl").read_text().splitlines(keepends=True)
        validation.write_text("".join(lines[:4]))
        common = [f"dtype={dtype}", f"data.validation={validation}", "training.steps=2", "training.batch_size=4",
                  "training.evaluate_every=1"]
        grid = {"learning_rate": LEARNING_RATES, "weight_decay": WEIGHT_DECAYS}
        together, alone = [], []
        for _ in range(FEW_STEPS):
            settings = ["optimizer.learning_rate=null", "optimizer.weight_decay=null", f"search={json.dumps(grid)}"]
            with trained(*common, *settings) as (_, _, seconds):
                together.append(seconds)
            alone.append(0)
            for rate, decay in itertools.product(*grid.values()):
                with trained(*common, f"optimizer.learning_rate={rate}", f"optimizer.weight_decay={decay}") as (_, _, seconds):
                    alone[-1] += seconds
            say(f"search-{dtype}: {together[-1]:.1f} s, six runs {alone[-1]:.1f} s")
    return {"seconds": quartiles(together), "peer_seconds": quartiles(alone), "steps": FEW_STEPS}


def head_start(_, dtype, peer):
    """The soft prompt behind a hard prompt that is computed once for the run, beside one before it: what three seeds reach in
    thirty steps of four exemplars, and the seconds of a step."""
    result = {"steps": 30}
    for side, position in (("", "before_question"), ("peer_", "start")):
        settings = [f"dtype={dtype}", f"soft_prompt.position={position}", *HARD_PROMPT, "training.steps=30",
                    "training.batch_size=4", "training.evaluate_every=15", f"search={json.dumps({'seed': SEEDS})}"]
        with trained(*settings) as (directory, _, _):
            candidates = json.loads((directory / "search.json").read_text())["candidates"]
            steps = steps_of(directory)
        result |= {side + "losses": [candidate["validation_loss"] for candidate in candidates],
                   side + "losses_at_start": [candidate["validation_loss_at_start"] for candidate in candidates],
                   side + "seconds": quartiles([step["seconds"] for step in steps]),
                   side + "rows": statistics.mean(step["rows_computed"] for step in steps)}
        say(f"head-start-{dtype}: {position} {result[side + 'losses']}, {result[side + 'seconds'][1]:.2f} s a step")
    return result


def estimate(_, dtype, peer):
    """The seconds of a step that `prescript estimate` tells, beside the median of the five that follow a first one."""
    pairs = []
    for settings in (["training.batch_size=2"], ["training.batch_size=8"], ["training.batch_size=16"],
                     ["training.batch_size=8", *HARD_PROMPT], ["training.batch_size=8", "training.micro_batch_tokens=512"],
                     ["training.batch_size=8", "training.share=false"]):
        common = [f"dtype={dtype}", "data.validation=null", f"training.steps={STEPS + 1}", *settings]
        with turn():
            told = subprocess.run([PROGRAM, "estimate", "--json", RECIPE, *common], check=True, capture_output=True, text=True,
                                  cwd=ROOT)
        with trained(*common) as (directory, _, _):
            seconds = [step["seconds"] for step in steps_of(directory)[1:]]
        pairs.append((", ".join(s.split(".", 1)[1] for s in settings if "instruction" not in s),
                      json.loads(told.stdout)["step"]["seconds"], statistics.median(seconds)))
        say(f"estimate-{dtype}: {pairs[-1][0]}: {pairs[-1][1]:.2f} s, measured {pairs[-1][2]:.2f} s")
    return {"estimates": pairs, "steps": STEPS}
