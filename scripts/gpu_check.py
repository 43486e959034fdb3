"""Stages of scripts/gpu_check: what runs on the card, under which limits, and whether it passed."""

import argparse
import concurrent.futures
import datetime
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import gpu_machine  # noqa: E402
import gpu_report  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
NO_CARD = 77
STAGES = ("tests", "sanitizer", "train", "bench")
PASSED = (0, 77)  # of a test program: 77 where some tests were skipped, none failed (tests/support/main.cc)
BENCH_SECONDS = 170  # of the limit; tests, sanitizer and train, which run side by side, have the rest
# How far a step of the card may be from the same step of the cpu backend, relative to it: loss, gradient norm.
TOLERANCES = {"fp32": (5e-5, 5e-4), "bf16": (3e-3, 5e-2)}
# Small enough to be run some fifty times slower.
SMALL_TESTS = ("*RowsTest*Cuda*:*ProductsTest*Cuda*:*AttentionTest*Cuda*:*MemoryTest*Cuda*:*Dequantize*"
               "-*RealVocabulary*:*DoNotFitInOnePiece*:*OverThePartsOfRandomForests*:*SeveralChunks*:*ThatIsNotThere*")
# racecheck takes ten times as long again: what the kernels of bfloat16 do between barriers.
RACE_TESTS = ("*AttentionTest*InAWindow/CudaBFloat16*:*AttentionTest*OneQueryOverManyKeys/CudaBFloat16*:"
              "*AttentionTest*SameBits/CudaBFloat16*:*RowsTest*Norm*/CudaBFloat16")


class Check:
    """One run over a packed folder."""

    def __init__(self, pack, limit):
        self.pack = pack
        self.deadline = time.monotonic() + limit
        self.check_seconds = max(limit / 2, limit - BENCH_SECONDS)
        self.work = Path(tempfile.mkdtemp(prefix="gpu_check."))
        self.json = self.work / "measurements.jsonl"
        self.results = []  # dicts of stage, name, passed, seconds, detail
        self.curves = []
        self.logs = {}
        self.environment = dict(os.environ, PRESCRIPT_SOURCE_DIR=str(pack))

    def use_torch(self, site_packages):
        folders = [str(folder) for folder in gpu_machine.library_folders(site_packages) if folder.exists()]
        given = os.environ.get("LD_LIBRARY_PATH")  # the driver's, perhaps
        self.environment["LD_LIBRARY_PATH"] = ":".join([*folders, *([given] if given else [])])

    def add(self, stage, name, passed, seconds, detail):
        self.results.append({"stage": stage, "name": name, "passed": passed, "seconds": seconds, "detail": detail})
        print(f"{'passed' if passed else 'FAILED'}  {stage}: {name}  ({seconds:.1f} s) {detail}", flush=True)

    def run(self, name, command, limit, cwd=None, environment=None):
        """(exit status, None where time ran out; output; seconds). Everything it started ends with it."""
        limit = min(limit, self.deadline - time.monotonic())
        start = time.monotonic()
        if limit <= 1:
            return None, "no time was left", 0
        log = self.work / (re.sub(r"\W+", "_", name) + ".log")
        with open(log, "wb") as output:
            try:
                process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT,
                                           stdin=subprocess.DEVNULL, cwd=cwd or self.work, env=environment or self.environment,
                                           start_new_session=True)
            except OSError as error:
                return 127, str(error), 0
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
            if status is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = log.read_text(errors="replace")
        self.logs[name] = text
        return status, text, time.monotonic() - start

    def run_shards(self, name, command, most):
        """As run, of a test program in up to `most` processes: most of its time is the reference's, on one core each."""
        shards = max(1, min(most, (os.cpu_count() or 1) // 2))

        def run_shard(index):
            environment = self.environment | {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(index)}
            return self.run(f"{name} {index}", command, self.check_seconds, environment=environment)

        with concurrent.futures.ThreadPoolExecutor(shards) as pool:
            statuses, texts, seconds = zip(*pool.map(run_shard, range(shards)))
        worst = None if None in statuses else next((status for status in statuses if status not in PASSED), 0)
        return worst, texts, max(seconds)

    def tests(self):
        command = [self.pack / "bin/prescript_kernels_test", "--gtest_color=no", "--gtest_filter=-*/Reference"]
        status, texts, seconds = self.run_shards("tests", command, 8)
        self.add("tests", "every operation and tiny steps", status == 0, seconds, count_of_tests(status, "".join(texts)))

    def sanitizer(self, tool, what, command):
        program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
        name = f"{tool} on {what}"
        command = [program, "--tool", tool, "--kernel-name", "kns=prescript", "--error-exitcode", "86", *command]
        if what == "small tests":
            status, texts, seconds = self.run_shards(name, command, 4)
            words = [count_of_tests(status, "".join(texts))]
        else:
            status, text, seconds = self.run(name, command, self.check_seconds)
            texts = [text]
            words = [] if status is not None else ["stopped at its time limit"]
        summaries = [re.findall(r"(?:ERROR|RACECHECK) SUMMARY: .*", text) for text in texts]
        found = sorted({summary[-1] if summary else "no summary" for summary in summaries})
        self.add("sanitizer", name, status == 0 and all(summaries), seconds, "; ".join(found + words))

    def train(self):
        for dtype, variant in (("fp32", []), ("bf16", []), ("bf16", ["again"]),
                               ("fp32", ["training.micro_batch_tokens=512"])):
            settings = [word for word in variant if "=" in word]
            name = " ".join([dtype, *variant])
            output = self.work / re.sub(r"\W+", "_", name)
            status, text, seconds = self.run(
                f"train {name}", [self.pack / "bin/prescript", "train", "recipe.yaml", f"dtype={dtype}", "device=cuda",
                                  f"output={output}", *settings], self.check_seconds, self.pack / "golden")
            if status != 0:
                self.add("train", name, False, seconds, f"exit {status}: {text[-300:]}")
                continue
            ours = metrics(output / "metrics.jsonl")
            golden = metrics(self.pack / f"golden/{dtype}.jsonl")
            passed, detail = compare_curves(dtype, golden, ours)
            self.curves.append({"name": name, "golden": golden, "card": ours})
            if variant == ["again"]:
                passed = next(curve["card"] for curve in self.curves if curve["name"] == dtype) == ours
                detail = "the same bits" if passed else "not the bits of the first run"
            self.add("train", name, passed, seconds, detail)

    def bench(self, python):
        benchmark = [self.pack / "bin/prescript_cuda_benchmark", "--json", self.json]
        flash = [python, self.pack / "benchmarks/flash_attention.py", "--json", self.json]
        for name, command, limit in (("kernels", [*benchmark, "ceilings", "rows", "attention", "loading"], 75),
                                     ("FlashAttention-2", flash, 40),
                                     ("8B step", [*benchmark, "step"], 45),
                                     ("70B step", [*benchmark, "step70"], 75),
                                     ("streamed steps", [*benchmark, "streamed"], 90)):
            environment = os.environ if command is flash else None  # PyTorch finds its libraries by itself
            status, text, seconds = self.run(name, command, limit, environment=environment)
            detail = "" if status == 0 else text.strip()[-300:] + (" (stopped at its time limit)" if status is None else "")
            self.add("bench", name, status == 0, seconds, detail)

    def checks(self, stages):
        """Correctness: side by side, since most of it is work of the host."""
        work = []
        if "tests" in stages:
            work.append(self.tests)
        if "train" in stages:
            work.append(self.train)
        if "sanitizer" in stages:
            benchmark = [self.pack / "bin/prescript_cuda_benchmark", "--small", "rows", "attention"]
            tests = [self.pack / "bin/prescript_kernels_test", "--gtest_color=no"]
            # racecheck does not survive cuBLASLt's kernels: it sees ours alone, by themselves.
            for tool, steps, filter_of_tests in (("memcheck", ["step", "step70"], SMALL_TESTS),
                                                 ("racecheck", [], RACE_TESTS)):
                for what, command in (("every kernel" + (" and a step" if steps else ""), [*benchmark, *steps]),
                                      ("small tests", [*tests, f"--gtest_filter={filter_of_tests}"])):
                    work.append(lambda tool=tool, what=what, command=command: self.sanitizer(tool, what, command))
        if not work:
            return
        with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
            for future in [pool.submit(one) for one in work]:
                future.result()

    def measurements(self):
        if not self.json.exists():
            return []
        return [json.loads(line) for line in self.json.read_text().splitlines()]


def unpack(pack):
    """What gpu_pack compressed, beside it."""
    for path in [*pack.glob("bin/*.gz"), *pack.glob("lib/*.gz")]:
        unpacked = path.with_suffix("")
        if unpacked.exists() and unpacked.stat().st_mtime >= path.stat().st_mtime:
            continue
        with gzip.open(path) as source, open(unpacked, "wb") as target:
            shutil.copyfileobj(source, target)
        unpacked.chmod(0o755)


def count_of_tests(status, text):
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    failed = sorted(set(re.findall(r"^\[  FAILED  \] (\S+?)(?:,|$| \()", text, re.M)))
    words = [f"{passed} passed"]
    skipped = len(re.findall(r"^\[  SKIPPED \] \S+ \(", text, re.M))
    if skipped:
        words.append(f"{skipped} skipped")
    if failed:
        words.append(f"{len(failed)} failed: {', '.join(failed[:8])}")
    if status is None:
        words.append("stopped at its time limit")
    elif status not in (0, 1, 86):
        words.append(f"ended with {status}")
    return ", ".join(words)


def metrics(path):
    """[(step, loss, gradient norm or None)] of a run's metrics.jsonl."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [(f"{line['step']}", line["loss"], line["grad_norm"]) for line in lines if "loss" in line]
    return steps + [(f"{line['step']}, validation", line["validation_loss"], None) for line in lines
                    if "validation_loss" in line]


def compare_curves(dtype, golden, ours):
    if [step for step, *_ in golden] != [step for step, *_ in ours]:
        return False, "not the steps of the golden curve"
    apart = [0.0, 0.0]
    for (_, *expected), (_, *found) in zip(golden, ours):
        for i, (one, other) in enumerate(zip(expected, found)):
            if one is not None and not abs(other - one) / abs(one) <= apart[i]:  # what is not a number is apart
                apart[i] = abs(other - one) / abs(one)
    passed = all(x <= limit for x, limit in zip(apart, TOLERANCES[dtype]))
    return passed, "from the cpu backend: loss {:.1e}, gradient norm {:.1e}".format(*apart)


def packed_folder():
    """Where the programs are: this folder, where it was packed; else build/gpu_check, made anew where it can be."""
    if (ROOT / "built.json").exists():
        return ROOT
    folder = ROOT / "build/gpu_check"
    if (ROOT / ".venv").exists() or not (folder / "built.json").exists():
        import gpu_pack  # pylint: disable=import-outside-toplevel  # not in a packed folder

        gpu_pack.pack(folder)
    return folder


def main():
    parser = argparse.ArgumentParser(prog="scripts/gpu_check")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="tests, sanitizer, train, bench; default: all")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--limit", type=float, default=300)
    parser.add_argument("--pack", nargs="?", type=Path, const=ROOT / "build/gpu_check")
    arguments = parser.parse_args()
    for stage in arguments.stages:
        if stage not in STAGES:
            parser.error(f"no such stage: {stage}; stages are {', '.join(STAGES)}")
    if arguments.pack:
        import gpu_pack  # pylint: disable=import-outside-toplevel

        gpu_pack.pack(arguments.pack.resolve())
        return 0
    if gpu_machine.number_of_cards() == 0:
        print("gpu_check: this machine has no CUDA card: nothing was checked", file=sys.stderr)
        return NO_CARD

    stages = arguments.stages or STAGES
    pack = packed_folder()
    unpack(pack)
    start = time.monotonic()
    check = Check(pack, arguments.limit)
    card = gpu_machine.describe_card()
    torch = gpu_machine.find_torch(ROOT)
    try:
        if torch is None:
            wanted = gpu_machine.TORCH_VERSION
            check.add("libraries", f"LibTorch {wanted}", False, 0, f"python3 has none: pip install torch=={wanted}")
        else:
            check.use_torch(torch[0])
            check.checks(stages)
            if "bench" in stages:
                check.bench(shutil.which("python3") or sys.executable)
    finally:
        name = re.sub(r"\W+", "-", card["name"].replace("NVIDIA ", "")) + f"-{datetime.date.today()}.md"
        output = arguments.output or Path(os.environ.get("OUT") or ROOT / "docs/gpu") / name
        output.parent.mkdir(parents=True, exist_ok=True)
        facts = {"card": card, "torch": torch and torch[1], "seconds": time.monotonic() - start,
                 "built": json.loads((pack / "built.json").read_text())}
        output.write_text(gpu_report.report(facts, check.results, check.curves, check.measurements(), check.logs))
        logs = output.with_suffix(".log.txt")
        logs.write_text("".join(f"===== {name}\n{text}\n" for name, text in check.logs.items()))
        if check.json.exists():
            shutil.copy(check.json, output.with_suffix(".jsonl"))
        shutil.rmtree(check.work, ignore_errors=True)
        print(f"report: {output}")
    return 0 if check.results and all(result["passed"] for result in check.results) else 1


if __name__ == "__main__":
    sys.exit(main())
