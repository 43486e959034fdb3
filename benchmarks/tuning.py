"""Which settings learn most of a few hundred exemplars, and what PEFT learns of the same: trains, judges, writes docs/TUNING.md.

    scripts/dev tuning FOLDER [ARGUMENTS]

FOLDER holds two files of exemplars whose lines say `"split": "train"` or `"validation"`, exemplars_longform_300.jsonl (answers) and
exemplars_mcq_300.jsonl (multiple choice), and questions of multiple choice that none of them asks, medqa_us_dev.jsonl and
medmcqa_val.jsonl. Every setting is tried with SEEDS; then the best of either side and what its documentation proposes are
trained anew with FRESH_SEEDS, by which nothing was chosen, and compared. Finished rows are kept and a later run goes on
behind them.
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
}
SETTINGS = {"answers": [(INITS, RATES), (OTHERS, FEW_RATES)],
            "choices": [(INITS | CLASS_LABELS, RATES), ({"cosine schedule": OTHERS["cosine schedule"]}, FEW_RATES)]}
ALL = INITS | CLASS_LABELS | OTHERS
PEER_INITS, PEER_SCHEDULES = ("TEXT", "SAMPLE_VOCAB", "RANDOM"), ("constant", "linear")
PROPOSED = ("text", 0.003)  # the defaults of a recipe
PEER_PROPOSED = ("TEXT, linear", 0.03)  # PEFT's guide to prompt tuning


class Study:
    """What all jobs share; `keep` may be called from any thread."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.deadline = time.monotonic() + arguments.seconds
        self.lock = threading.Lock()
        self.rows = tuning_page.stored(arguments.rows)
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

    def keep(self, *rows):
        with self.lock:
            self.rows += rows
            with self.arguments.rows.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        for row in rows:
            print(json.dumps(row), file=sys.stderr)

    def program(self, *words):
        done = subprocess.run([str(self.arguments.prescript), *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"prescript {words[0]}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def train(self, name, setting, rates, seeds, output):
        """Validation losses of every candidate, [(rate, seed, [loss])]."""
        recipe = {"base_model": str(MODEL), "dtype": "bf16", "data.train": str(self.exemplars[name]["train"]),
                  "data.validation": str(self.exemplars[name]["validation"]), "training.steps": STEPS,
                  "training.batch_size": BATCH, "training.evaluate_every": EVERY, "training.checkpoint_every": STEPS,
                  "search.learning_rate": rates, "search.seed": seeds, "output": str(output)} | ALL[setting]
        if self.arguments.memory_gb:
            recipe["training.memory_gb"] = self.arguments.memory_gb
        path = output.with_suffix(".json")
        path.write_text(json.dumps(recipe))
        self.program("train", path)
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        candidates = [(rate, seed) for rate in rates for seed in seeds]
        return [(*candidate, [line["validation_loss"] for line in lines
                              if "validation_loss" in line and line.get("candidate", 1) == number])
                for number, candidate in enumerate(candidates, 1)]

    def try_settings(self):
        """Ours, a run a setting; its candidates side by side."""
        def one(name, setting, rates):
            if self.is_over() or not self.lacks(phase="try", side="prescript", set=name, setting=setting):
                return
            output = self.folder / f"{name}-{list(ALL).index(setting)}"
            self.keep(*({"phase": "try", "side": "prescript", "set": name, "setting": setting, "rate": rate, "seed": seed,
                         "losses": losses} for rate, seed, losses in self.train(name, setting, rates, SEEDS, output)))

        jobs = [(name, setting, rates) for name in EXEMPLARS for settings, rates in SETTINGS[name] for setting in settings]
        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            list(pool.map(lambda job: one(*job), jobs))

    def peers_do(self, name, jobs, is_over=lambda: False):
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
                    while not is_over():
                        setting, rate, seed, adapter = waiting.get_nowait()
                        init, schedule = setting.split(", ")
                        job = {"init": init, "schedule": schedule, "rate": rate, "seed": seed, "num_virtual_tokens": 20,
                               "steps": STEPS, "batch": BATCH, "every": EVERY, "output": adapter and str(adapter)}
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
        for setting, rate, seed, losses in self.peers_do(name, jobs, self.is_over):
            self.keep({"phase": "try", "side": "PEFT", "set": name, "setting": setting, "rate": rate, "seed": seed, "losses": losses})

    def finalists(self, name):
        """[(side, setting, rate)]: what either documentation proposes, and the best of what was tried."""
        chosen = [("prescript", *PROPOSED), ("PEFT", *PEER_PROPOSED)]
        for side in ("prescript", "PEFT"):
            best = tuning_page.means(self.rows, side, name)
            chosen += [(side, *min(best, key=best.get))] if best else []
        return list(dict.fromkeys(chosen))

    def compare(self, name):
        """Trains the finalists with fresh seeds, and judges every adapter by the same program."""
        if not self.lacks(phase="compare", set=name):
            return
        adapters, losses = {}, {}
        jobs = [(*finalist, seed) for finalist in self.finalists(name) for seed in FRESH_SEEDS]
        for number, job in enumerate(jobs):
            adapters[job] = self.folder / f"{name}-finalist{number}" / "adapter"

        def ours(job):
            _, setting, rate, seed = job
            [(_, _, losses[job])] = self.train(name, setting, [rate], [seed], adapters[job].parent)

        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            list(pool.map(ours, [job for job in jobs if job[0] == "prescript"]))
        theirs = [(*job[1:], adapters[job]) for job in jobs if job[0] == "PEFT"]
        for setting, rate, seed, found in self.peers_do(name, theirs):
            losses["PEFT", setting, rate, seed] = found
        names = {f"a{number}": job for number, job in enumerate(jobs)}
        judged = self.judge_answers(name, names, adapters) if name == "answers" else self.judge_choices(names, adapters)
        self.keep(*({"phase": "compare", "set": name, "side": side, "setting": setting, "rate": rate, "seed": seed,
                     "losses": losses.get((side, setting, rate, seed)), "judged": judged[side, setting, rate, seed]}
                    for side, setting, rate, seed in [*jobs, ("base", "no soft prompt", 0, 0)]))

    def judge_answers(self, name, names, adapters):
        """Of every adapter and the base, [id, log-likelihood, tokens] of each validation exemplar."""
        common = ["score", "--model", MODEL, "--input", self.exemplars[name]["validation"], "--json", "--format", "chat",
                  "--dtype", "bf16", "--allow-other-base"]
        given = [word for key, job in names.items() for word in ("--adapter", f"{key}={adapters[job]}")]
        judged = {}
        for output in (self.program(*common, *given), self.program(*common)):
            for line in map(json.loads, output.splitlines()):
                job = names[line["adapter"]] if line["adapter"] else ("base", "no soft prompt", 0, 0)
                judged.setdefault(job, []).append([line["id"], line["log_likelihood"], line["num_tokens"]])
        return judged

    def judge_choices(self, names, adapters):
        """Of every adapter and the base, [id, whether right] of each question, by the log-likelihood of the letters."""
        known = {json.loads(line)["question"] for part in self.exemplars["choices"].values() for line in part.read_text().splitlines()}
        questions = [e for file in QUESTIONS for e in map(json.loads, (self.arguments.folder / file).read_text().splitlines())
                     if e["question"] not in known]
        right = {e["id"]: e["answer"] for e in questions}
        output = self.folder / "evaluation"
        recipe = {"base_model": str(MODEL), "dtype": "bf16", "allow_other_base": True, "output": str(output),
                  "adapters": {key: str(adapters[job]) for key, job in names.items()}, "scoring": ["letter"],
                  "micro_batch_tokens": 8192, "bootstrap.replicas": 1,
                  "tasks": {"questions": {"questions": str(self.write("questions.jsonl", questions))}}}
        path = self.folder / "evaluation.json"
        path.write_text(json.dumps(recipe))
        self.program("evaluate", path)
        judged = {}
        for line in map(json.loads, (output / "records.jsonl").read_text().splitlines()):
            if "options" not in line:
                continue  # what it took
            letters = {letter: option["letter"]["log_likelihood"] for letter, option in line["options"].items()}
            job = names.get(line["system"], ("base", "no soft prompt", 0, 0))
            judged.setdefault(job, []).append([line["id"], int(max(letters, key=letters.get) == right[line["id"]])])
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
    parser.add_argument("--page", action="store_true", help="write docs/TUNING.md of the rows that there are")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not arguments.page:
        with tempfile.TemporaryDirectory() as folder:
            study = Study(arguments, pathlib.Path(folder))
            with concurrent.futures.ThreadPoolExecutor() as pool:
                ours = pool.submit(study.try_settings)
                for name in EXEMPLARS:
                    study.try_peer(name)
                ours.result()
            for name in EXEMPLARS:
                study.compare(name)
    tuning_page.write(tuning_page.stored(arguments.rows))


if __name__ == "__main__":
    main()
