"""Times training steps beside the peers and writes docs/PERFORMANCE.md's tables.

    scripts/bench [CASE[-DTYPE] ...]    cases A to F, fp32 or bf16; default: all

Both sides of a comparison take turns, one step each, so that a noisy machine hits both alike; our first step and a peer's first two do not
count.
Every finished row is kept in build/bench/rows.jsonl, and a later run goes on behind it.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import cases

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
BUILD = ROOT / "build" / "cpu" / "bin"
ROWS = ROOT / "build" / "bench" / "rows.jsonl"
PAGE = ROOT / "docs" / "PERFORMANCE.md"
PEERS = ["P1", "P1c", "P2", "P3"]
DTYPES = {"fp32": 4, "bf16": 2}
PARAMETERS = 134_515_008
STEPS, FEW_STEPS, LONG_STEP = 5, 3, 60  # FEW_STEPS where one takes longer than LONG_STEP seconds
MEMORY = 20 << 30  # what a peer may take
SAME_LOSS = {"fp32": 1e-4, "bf16": 1e-2}  # relative: both sides begin with the same soft prompt


class Worker:
    """A process that runs a step for every line it is given."""

    def __init__(self, command):
        def limit():
            import resource
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(list(map(str, command)), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, preexec_fn=limit)

    def step(self):
        """What the worker says of a step, as numbers; None where it died."""
        try:
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return list(map(float, line.split())) or None

    def close(self):
        self.process.kill()
        self.process.wait()

    def last_error(self):
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1][:200] if lines else "killed"


def our_worker(name, dtype, folder, *options):
    case = cases.CASES[name]
    path = pathlib.Path(folder) / "sequences.txt"
    path.write_text("".join(f"{begin} {' '.join(map(str, ids))}\n" for begin, ids in case.sequences()))
    return Worker([BUILD / "prescript_step_worker", MODEL, dtype, case.num_virtual, path, *options])


def peer_worker(peer, name, dtype):
    """A worker behind two steps (the second takes more memory), with the largest micro-batch that fits, or the reason why
    there is none."""
    micro_batch = len(cases.CASES[name].lengths)
    while micro_batch >= 1:
        worker = Worker([sys.executable, "-B", pathlib.Path(__file__).with_name("peer_worker.py"), peer, name, dtype, micro_batch])
        first = worker.step()
        if first is not None and worker.step() is not None:
            return worker, micro_batch, first
        error = worker.last_error()
        worker.close()
        if "allocate" not in error and "memory" not in error.lower() and error != "killed":
            return None, error, None
        micro_batch //= 2
    return None, error, None


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive")


def compare(peer, name, dtype):
    """A row of the table: both sides' steps in turns."""
    with tempfile.TemporaryDirectory() as folder:
        ours = our_worker(name, dtype, folder)
        theirs, micro_batch, first = peer_worker(peer, name, dtype)
        row = {"peer": peer, "case": name, "dtype": dtype}
        if theirs is None:
            ours.close()
            return row | {"failed": micro_batch}
        losses = ours.step()[4], first[2]
        if abs(losses[0] - losses[1]) > SAME_LOSS[dtype] * losses[1]:
            raise SystemExit(f"{name}-{dtype}: our loss is {losses[0]}, that of {peer} {losses[1]}: they do not do the same")
        count = FEW_STEPS if first[0] > LONG_STEP else STEPS
        steps = []
        for i in range(count):
            steps.append((ours.step(), theirs.step()))
            print(f"  {name}-{dtype} {peer}: step {i + 1} of {count}: {steps[-1][0][0]:.2f} s, {peer} {steps[-1][1][0]:.2f} s",
                  file=sys.stderr)
        for worker in (ours, theirs):
            worker.close()
    return row | {
        "seconds": quartiles([a[0] for a, _ in steps]), "peer_seconds": quartiles([b[0] for _, b in steps]),
        "peak_kib": max(a[1] for a, _ in steps), "peer_peak_kib": max(b[1] for _, b in steps),
        "rows": steps[0][0][2], "flops": steps[0][0][3], "micro_batch": micro_batch, "steps": count,
    }


def alone(name, dtype):
    """Our steps with sharing and without, in turns, and the peak of the processor before and behind."""
    with tempfile.TemporaryDirectory() as folder:
        shared, unshared = our_worker(name, dtype, folder), our_worker(name, dtype, folder, "unshared")
        steps, peaks = [], []
        for i in range(STEPS + 1):
            peaks.append(peak_flops(dtype))
            steps.append((shared.step(), unshared.step()))
            print(f"  {name}-{dtype}: {steps[-1][0][0]:.2f} s, without sharing {steps[-1][1][0]:.2f} s", file=sys.stderr)
        for worker in (shared, unshared):
            worker.close()
    counted = steps[1:]
    return {
        "peer": "unshared", "case": name, "dtype": dtype, "peak_flops": max(peaks),
        "seconds": quartiles([a[0] for a, _ in counted]), "peer_seconds": quartiles([b[0] for _, b in counted]),
        "flops": counted[0][0][3], "peer_flops": counted[0][1][3], "rows": counted[0][0][2], "peer_rows": counted[0][1][2],
        "steps": len(counted),
    }


def peak_flops(dtype):
    """What this processor does in one second, in products of `dtype` that lie in registers and in cache."""
    run = subprocess.run([BUILD / "prescript_peak", dtype], check=True, capture_output=True, text=True)
    return float(run.stdout)


def machine():
    info = subprocess.run(["lscpu"], check=True, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    flags = set(fields["Flags"].split())
    vectors = next((n for f, n in (("avx512_bf16", "AVX-512 BF16"), ("avx512f", "AVX-512"), ("avx2", "AVX2")) if f in flags), "")
    return f"{fields['Vendor ID'].strip()} family {fields['CPU family'].strip()} model {fields['Model'].strip()}, " \
           f"{vectors}, {os.cpu_count()} threads"


def versions():
    from importlib.metadata import version
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "prefix-grouper"))


def stored():
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.exists() else []
    return {(r["machine"], r["case"], r["dtype"], r["peer"]): r for r in rows}


def middle(values, digits=2):
    return f"{values[1]:.{digits}f} ({values[0]:.{digits}f} to {values[2]:.{digits}f})"


def tables(rows):
    lines = ["| case | dtype | peer | ours, s | peer, s | ratio | ours above the weights, MB | peer | note |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if row["peer"] == "unshared":
            continue
        if "failed" in row:
            lines.append(f"| {row['case']} | {row['dtype']} | {row['peer']} | | | | | | does not run: {row['failed']} |")
            continue
        weights = PARAMETERS * DTYPES[row["dtype"]] / 1e6
        above = [row[key] * 1024 / 1e6 - weights for key in ("peak_kib", "peer_peak_kib")]
        batch = len(cases.CASES[row["case"]].lengths)
        note = f"micro-batch {row['micro_batch']}" if row["micro_batch"] < batch else ""
        lines.append(f"| {row['case']} | {row['dtype']} | {row['peer']} | {middle(row['seconds'])} | {middle(row['peer_seconds'])} | "
                     f"{row['peer_seconds'][1] / row['seconds'][1]:.2f} | {above[0]:.0f} | {above[1]:.0f} | {note} |")
    lines += ["", "| case | dtype | with sharing, s | without, s | gain | rows | GFLOP/s, share of the peak | without sharing |",
              "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if row["peer"] != "unshared":
            continue
        rates = [row[f] / row[s][1] for f, s in (("flops", "seconds"), ("peer_flops", "peer_seconds"))]
        shares = [f"{rate / 1e9:.0f}, {100 * rate / row['peak_flops']:.0f} %" for rate in rates]
        lines.append(f"| {row['case']} | {row['dtype']} | {middle(row['seconds'])} | {middle(row['peer_seconds'])} | "
                     f"{row['peer_seconds'][1] / row['seconds'][1]:.2f} | {row['rows']:.0f} of {row['peer_rows']:.0f} | "
                     f"{shares[0]} | {shares[1]} |")
    return lines


BEGIN, END = "<!-- scripts/bench writes from here -->\n", "<!-- to here -->\n"


def write_page(rows):
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    lines = []
    for name in sorted({row["machine"] for row in rows}):
        own = sorted((r for r in rows if r["machine"] == name), key=lambda r: (r["case"], r["dtype"], r["peer"]))
        dates = sorted({row["date"] for row in own})
        lines += [f"### {name}", "", f"{dates[0]} to {dates[-1]}. {own[-1]['versions']}.", ""] + tables(own) + [""]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE[-DTYPE]")
    wanted = parser.parse_args().cases
    chosen = [(name, dtype) for name in cases.CASES for dtype in DTYPES
              if not wanted or name in wanted or f"{name}-{dtype}" in wanted]
    unknown = set(wanted) - {word for name, dtype in chosen for word in (name, f"{name}-{dtype}")}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; cases are A to F, with -fp32 or -bf16 behind them or without")
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    common = {"machine": machine(), "versions": versions()}
    for name, dtype in chosen:
        for peer in ["unshared", *PEERS]:
            if (common["machine"], name, dtype, peer) in stored():
                print(f"{name}-{dtype} {peer}: kept from before ({ROWS})", file=sys.stderr)
                continue
            print(f"{name}-{dtype} {peer}", file=sys.stderr)
            row = alone(name, dtype) if peer == "unshared" else compare(peer, name, dtype)
            row |= common | {"date": datetime.date.today().isoformat()}
            with ROWS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            write_page(list(stored().values()))
    print("\n".join(tables([row for key, row in stored().items() if key[0] == common["machine"]])))


if __name__ == "__main__":
    main()
