"""Which settings learn most of a few hundred exemplars, and what PEFT learns of the same: trains, judges, writes docs/TUNING.md.

    scripts/dev tuning FOLDER [ARGUMENTS]

FOLDER holds two files of exemplars whose lines say `"split": "train"` or `"validation"`, exemplars_longform_300.jsonl (answers) and
exemplars_mcq_300.jsonl (multiple choice), and questions of multiple choice that none of them asks, medqa_us_dev.jsonl and
medmcqa_val.jsonl. Every setting is tried with SEEDS; then the best of either side and what its documentation proposes are
trained anew with FRESH_SEEDS, by which nothing was chosen, and compared. Finished rows are kept, of whatever machine, and a
later run goes on behind them.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

import rows
import torch
import tuning_page
from worker import ROOT

MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
ROWS = ROOT / "docs" / "tuning.jsonl"
STEPS, BATCH, EVERY = 100, 8, 20
SEEDS, FRESH_SEEDS = (1, 2, 3), (11, 12, 13, 14, 15)
RATES, FEW_RATES = (0.001, 0.003, 0.01, 0.03, 0.1), (0.003, 0.01, 0.03)
PEER_RATES, PEER_SEEDS = (0.003, 0.01, 0.03, 0.1, 0.3), (1, 2)
LABELS = ["(A)", "(B)", "(C)", "(D)"]
EXEMPLARS = {"answers": "exemplars_longform_300.jsonl", "choices": "exemplars_mcq_300.jsonl"}
QUESTIONS = ("medqa_us_dev.jsonl", "medmcqa_val.jsonl")
FIELDS = ("id", "question", "context", "options", "answer", "rationale")

# Every setting of ours: what differs from the plain run, which is 20 rows of a text's tokens at the start, AdamW, constant rate.
INITS = {
    "text": {},
    "vocabulary": {"soft_prompt.init.from": "vocabulary"},
    "uniform, norm of the vocabulary": {"soft_prompt.init.from": "uniform"},
    "uniform ±0.5": {"soft_prompt.init.from": "uniform", "soft_prompt.init.scale": 0.5},
}
CLASS_LABELS = {"class labels": {"soft_prompt.init": {"from": "class_labels", "labels": LABELS}}}
OTHERS = {
    "5 virtual tokens": {"soft_prompt.num_virtual_tokens": 5},
    "50 virtual tokens": {"soft_prompt.num_virtual_tokens": 50},
    "100 virtual tokens": {"soft_prompt.num_virtual_tokens": 100},
    "linear schedule": {"optimizer.schedule": "linear"},
    "cosine schedule": {"optimizer.schedule": "cosine"},
    "cosine schedule, 10 steps of warm-up": {"optimizer.schedule": "cosine", "optimizer.warmup_steps": 10},
    "no clipping": {"optimizer.clip_norm": 0},
    "Adafactor": {"optimizer.name": "adafactor"},
    "behind the BOS token": {"soft_prompt.position": "after_bos"},
    "before the question": {"soft_prompt.position": "before_question"},
    "linear schedule, behind the BOS token": {"optimizer.schedule": "linear", "soft_prompt.position": "after_bos"},
    "linear schedule, 50 virtual tokens": {"optimizer.schedule": "linear", "soft_prompt.num_virtual_tokens": 50},
    "linear schedule, 100 virtual tokens": {"optimizer.schedule": "linear", "soft_prompt.num_virtual_tokens": 100},
    "cosine schedule, 100 virtual tokens": {"optimizer.schedule": "cosine", "soft_prompt.num_virtual_tokens": 100},
}
SETTINGS = {"answers": [(INITS, RATES), (OTHERS, FEW_RATES)],
            "choices": [(INITS | CLASS_LABELS, RATES), ({"cosine schedule": OTHERS["cosine schedule"]}, FEW_RATES)]}
ALL = INITS | CLASS_LABELS | OTHERS
PEER_INITS, PEER_SCHEDULES = ("TEXT", "SAMPLE_VOCAB", "RANDOM"), ("constant", "linear")
PROPOSED = ("linear schedule, 100 virtual tokens", 0.03)  # the defaults of a recipe, whose rate is 0.028 here
PEER_PROPOSED = ("TEXT, linear", 0.03)  # PEFT's guide to prompt tuning
PEER_LONG = ("TEXT, linear, 100 virtual tokens", 0.03)  # the same at the length of ours
JOB = ("side", "setting", "rate", "seed")
BASE = ("base", "no soft prompt", 0, 0)


class Study:
    """What all jobs share; `keep` may be called from any thread."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.deadline = time.monotonic() + arguments.seconds
        self.lock = threading.Lock()
        self.rows = rows.lines(arguments.rows)
        self.machine = torch.cuda.get_device_name() if torch.cuda.is_available() else rows.machine()
        self.exemplars = {name: self.split(name) for name in EXEMPLARS}

    def split(self, name):
        lines = [json.loads(line) for line in (self.arguments.folder / EXEMPLARS[name]).read_text().splitlines()]
        return {part: self.write(f"{name}-{part}.jsonl", [line for line in lines if line["split"] == part])
                for part in ("train", "validation")}

    def write(self, name, exemplars):
        path = self.folder / name
        path.write_text("".join(json.dumps({key: e[key] for key in FIELDS if key in e}) + "\n" for e in exemplars))
        return path

    def is_over(self):
        return time.monotonic() > self.deadline

    def lacks(self, **key):
        return not any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def keep(self, *new):
        new = [row | {"machine": self.machine} for row in new]
        with self.lock:
            self.rows += new
            for row in new:
                rows.keep(row, self.arguments.rows)
                print(json.dumps(row), file=sys.stderr)

    def program(self, *words):
        done = subprocess.run([str(self.arguments.prescript), *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"prescript {words[0]}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def train(self, name, setting, rate, seeds, output):
        """Validation losses of every candidate, [(seed, [loss])]."""
        recipe = {"base_model": str(MODEL), "dtype": "bf16", "data.train": str(self.exemplars[name]["train"]),
                  "data.validation": str(self.exemplars[name]["validation"]), "soft_prompt.num_virtual_tokens": 20,
                  "optimizer.schedule": "constant", "training.steps": STEPS,
                  "training.batch_size": BATCH, "training.evaluate_every": EVERY, "training.checkpoint_every": STEPS,
                  "search.learning_rate": [rate], "search.seed": seeds, "output": str(output)} | ALL[setting]
        if self.arguments.memory_gb:
            recipe["training.memory_gb"] = self.arguments.memory_gb
        path = output.parent / f"{output.name}.json"
        path.write_text(json.dumps(recipe))
        self.program("train", path)
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        return [(seed, [line["validation_loss"] for line in lines
                        if "validation_loss" in line and line.get("candidate", 1) == number])
                for number, seed in enumerate(seeds, 1)]

    def try_settings(self):
        """Ours, a run a setting and rate; its seeds side by side."""
        def one(name, setting, rate):
            seeds = [seed for seed in SEEDS if seed in self.arguments.seeds and
                     self.lacks(phase="try", side="prescript", set=name, setting=setting, rate=rate, seed=seed)]
            if self.is_over() or not seeds:
                return
            output = self.folder / f"{name}-{list(ALL).index(setting)}-{rate:g}"
            self.keep(*({"phase": "try", "side": "prescript", "set": name, "setting": setting, "rate": rate, "seed": seed,
                         "losses": losses} for seed, losses in self.train(name, setting, rate, seeds, output)))

        jobs = [(name, setting, rate) for name in self.arguments.sets for settings, rates in SETTINGS[name]
                for setting in settings for rate in rates
                if setting in (self.arguments.settings or [setting]) and rate in (self.arguments.rates or [rate])]
        if not jobs:
            raise SystemExit("no setting is tried at such a rate; SETTINGS holds those that are")
        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            list(pool.map(lambda job: one(*job), jobs))

    def peers_do(self, name, jobs):
        """Every job (setting, rate, seed, adapter or None) by workers of PEFT; yields it with its losses."""
        waiting, done = queue.Queue(), queue.Queue()
        for job in jobs:
            waiting.put(job)

        def work():
            try:
                command = [sys.executable, "-B", ROOT / "benchmarks" / "tuning_peer.py", *self.exemplars[name].values()]
                with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
                    if peer.stdout.readline() != "ready\n":
                        raise RuntimeError("the worker of PEFT did not start")
                    while not self.is_over():
                        setting, rate, seed, adapter = waiting.get_nowait()
                        init, schedule, *length = setting.split(", ")
                        num_virtual_tokens = int(length[0].split()[0]) if length else 20
                        job = {"init": init, "schedule": schedule, "rate": rate, "seed": seed,
                               "num_virtual_tokens": num_virtual_tokens, "steps": STEPS, "batch": BATCH, "every": EVERY,
                               "output": adapter and str(adapter)}
                        peer.stdin.write(json.dumps(job) + "\n")
                        peer.stdin.flush()
                        done.put(((setting, rate, seed), json.loads(peer.stdout.readline())))
            except queue.Empty:
                pass
            except Exception as error:  # the reader of `done` raises it
                done.put((error, None))
            finally:
                done.put((None, None))

        count = min(self.arguments.peers, len(jobs))
        for _ in range(count):
            threading.Thread(target=work, daemon=True).start()
        while count > 0:
            job, losses = done.get()
            if isinstance(job, Exception):
                raise job
            count -= job is None
            if job is not None:
                yield *job, losses

    def try_peer(self, name):
        jobs = [(f"{init}, {schedule}", rate, seed, None) for seed in PEER_SEEDS for rate in PEER_RATES for init in PEER_INITS
                for schedule in PEER_SCHEDULES]
        jobs = [job for job in jobs if self.lacks(phase="try", side="PEFT", set=name, setting=job[0], rate=job[1], seed=job[2])]
        for setting, rate, seed, losses in self.peers_do(name, jobs):
            self.keep({"phase": "try", "side": "PEFT", "set": name, "setting": setting, "rate": rate, "seed": seed, "losses": losses})

    def finalists(self, name):
        """[(side, setting, rate)]: the best of what was tried, and what either documentation proposes."""
        tried = {side: tuning_page.means(self.rows, side, name) for side in ("prescript", "PEFT")}
        best = [(side, *min(means, key=means.get)) for side, means in tried.items() if means]
        return list(dict.fromkeys([*best, ("prescript", *PROPOSED), ("PEFT", *PEER_LONG), ("PEFT", *PEER_PROPOSED)]))

    def compare(self, name):
        """Trains the finalists with fresh seeds, and judges every adapter by the same program."""
        seeds = [seed for seed in FRESH_SEEDS if seed in self.arguments.seeds]
        jobs = [(*finalist, seed) for seed in seeds for finalist in self.finalists(name)]
        jobs = [job for job in [BASE, *jobs] if self.lacks(phase="compare", set=name, **dict(zip(JOB, job)))]
        adapters = {job: self.folder / f"{name}-finalist{number}" / "adapter" for number, job in enumerate(jobs)}

        def judge(job, losses, adapter):
            judged = (self.judge_answers if name == "answers" else self.judge_choices)(adapter)
            self.keep({"phase": "compare", "set": name} | dict(zip(JOB, job)) | {"losses": losses, "judged": judged})

        def ours(job):
            if job == BASE:
                judge(job, None, None)
            elif not self.is_over():
                _, setting, rate, seed = job
                [(_, losses)] = self.train(name, setting, rate, [seed], adapters[job].parent)
                judge(job, losses, adapters[job])

        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            list(pool.map(ours, [job for job in jobs if job[0] != "PEFT"]))
        theirs = [(*job[1:], adapters[job]) for job in jobs if job[0] == "PEFT"]
        for setting, rate, seed, losses in self.peers_do(name, theirs):
            job = ("PEFT", setting, rate, seed)
            judge(job, losses, adapters[job])

    def judge_answers(self, adapter):
        """[id, log-likelihood, tokens] of each validation exemplar, by an adapter or, for None, the base alone."""
        given = ("--adapter", f"finalist={adapter}", "--allow-other-base") if adapter else ()
        lines = self.program("score", "--model", MODEL, "--input", self.exemplars["answers"]["validation"], "--json",
                             "--format", "chat", "--dtype", "bf16", *given)
        return [[line["id"], line["log_likelihood"], line["num_tokens"]] for line in map(json.loads, lines.splitlines())]

    def judge_choices(self, adapter):
        """[id, whether right] of each question, by the log-likelihood of the letters."""
        known = {json.loads(line)["question"] for part in self.exemplars["choices"].values() for line in part.read_text().splitlines()}
        questions = [e for file in QUESTIONS for e in map(json.loads, (self.arguments.folder / file).read_text().splitlines())
                     if e["question"] not in known]
        right = {e["id"]: e["answer"] for e in questions}
        name = adapter.parent.name if adapter else "base"
        output = self.folder / f"evaluation-{name}"
        recipe = {"base_model": str(MODEL), "dtype": "bf16", "allow_other_base": True, "output": str(output),
                  "base": adapter is None, "adapters": {"finalist": str(adapter)} if adapter else {}, "scoring": ["letter"],
                  "micro_batch_tokens": 8192, "bootstrap.replicas": 1,
                  "tasks": {"questions": {"questions": str(self.write(f"questions-{name}.jsonl", questions))}}}
        path = self.folder / f"evaluation-{name}.json"
        path.write_text(json.dumps(recipe))
        self.program("evaluate", path)
        judged = []
        for line in map(json.loads, (output / "records.jsonl").read_text().splitlines()):
            if "options" not in line:
                continue  # what it took
            letters = {letter: option["letter"]["log_likelihood"] for letter, option in line["options"].items()}
            judged.append([line["id"], int(max(letters, key=letters.get) == right[line["id"]])])
        return judged


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev tuning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=pathlib.Path, default=ROWS, help="where rows are kept; default: docs/tuning.jsonl")
    parser.add_argument("--prescript", type=pathlib.Path, default=ROOT / "build" / "cpu" / "bin" / "prescript")
    parser.add_argument("--processes", type=int, default=1, help="runs of prescript side by side; default 1")
    parser.add_argument("--peers", type=int, default=1, help="workers of PEFT side by side; default 1")
    parser.add_argument("--memory-gb", type=float, help="of each run of prescript; default: its own")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after them no other setting is tried")
    parser.add_argument("--only", choices=["try", "try-peer", "compare"], help="of the phases; default: all")
    parser.add_argument("--sets", nargs="+", choices=list(EXEMPLARS), default=list(EXEMPLARS), help="default: both")
    parser.add_argument("--settings", nargs="+", choices=list(ALL), metavar="SETTING", help="of ours, that are tried; default: all")
    parser.add_argument("--rates", nargs="+", type=float, help="of ours, that are tried; default: all")
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS + FRESH_SEEDS, default=SEEDS + FRESH_SEEDS,
                        help="of ours that are tried, and of the comparison; default: all")
    parser.add_argument("--page", action="store_true", help="write docs/TUNING.md of the rows that there are")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not arguments.page:
        with tempfile.TemporaryDirectory() as folder:
            study = Study(arguments, pathlib.Path(folder))
            phases = [arguments.only] if arguments.only else ["try", "try-peer", "compare"]
            with concurrent.futures.ThreadPoolExecutor() as pool:
                ours = pool.submit(study.try_settings if "try" in phases else lambda: None)
                for name in arguments.sets if "try-peer" in phases else []:
                    study.try_peer(name)
                ours.result()
            for name in arguments.sets if "compare" in phases else []:
                study.compare(name)
    tuning_page.write(rows.lines(arguments.rows))


if __name__ == "__main__":
    main()
