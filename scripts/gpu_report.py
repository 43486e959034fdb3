"""The report of scripts/gpu_check, in Markdown: what passed, the targets, every measurement."""

import datetime
import re

# Vendors' dense bfloat16 FLOP/s and bytes per second, by what nvidia-smi calls the card.
CARDS = {"H200": (989e12, 4.8e12), "H100 PCIe": (756e12, 2.0e12), "H100 NVL": (835e12, 3.9e12), "H100": (989e12, 3.35e12),
         "A100": (312e12, 2.0e12), "B200": (2250e12, 8e12)}
ATTENTION_TARGETS = {"forward": 0.35, "backward": 0.28}
BANDWIDTH_TARGET = 0.85
STEP_TARGET = 0.55
LOG_LINES = 40


def peaks_of(name):
    return next((peaks for part, peaks in CARDS.items() if part in name), (None, None))


def percent(value, whole):
    return f"{100 * value / whole:.1f} %" if value and whole else "–"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return lines + [""]


class Measured:
    """Measurements by group and name, and the two ceilings."""

    def __init__(self, measurements):
        self.all = [m for m in measurements if "seconds" in m]
        self.failed = [m for m in measurements if "failed" in m]

    def of(self, group):
        return [m for m in self.all if m["group"] == group]

    def find(self, group, name, shape=None):
        return next((m for m in self.of(group) if m["name"] == name and shape in (None, m["shape"])), None)

    @property
    def bandwidth(self):
        copy = self.find("ceiling", "copy")
        return copy and copy["bytes"] / copy["seconds"]

    @property
    def product(self):
        rates = [m["flops"] / m["seconds"] for m in self.of("ceiling") if m["name"] == "product" and "bf16" in m["shape"]]
        return max(rates, default=None)


def targets(measured, peak):
    """(target, what was measured, yes | no | not measured) of each."""
    rows = []

    def add(target, found, met):
        rows.append((target, found, "not measured" if met is None else "yes" if met else "no"))

    for direction, target in ATTENTION_TARGETS.items():
        m = measured.find("attention", f"causal, {direction}")
        share = m and peak and m["flops"] / m["seconds"] / peak
        add(f"attention {direction} at 4096 causal rows, E 128: ≥ {target:.0%} of the peak", percent(share, 1), share and share >= target)
    for ours, theirs in (("causal", "causal"), ("forest", "forest, in pieces"), ("forest", "forest, unshared")):
        for direction in ATTENTION_TARGETS:
            a = measured.find("attention", f"{ours}, {direction}")
            b = measured.find("flash", f"{theirs}, {direction}", a and a["shape"])
            found = f"{b['seconds'] / a['seconds']:.2f} times as fast" if a and b else "–"
            add(f"{ours} {direction} not slower than FlashAttention-2 on `{theirs}`", found, a and b and a["seconds"] <= b["seconds"])
    slow = [m for m in measured.of("rows") if measured.bandwidth
            and m["bytes"] / m["seconds"] < BANDWIDTH_TARGET * measured.bandwidth]
    some = bool(measured.of("rows") and measured.bandwidth)
    add(f"kernels that wait for memory: ≥ {BANDWIDTH_TARGET:.0%} of the measured copy",
        f"below: {', '.join(m['name'] for m in slow) or 'none'}" if some else "–", not slow if some else None)
    m = measured.find("step", "8B, bf16")
    share = m and peak and m["flops"] / m["seconds"] / peak
    add(f"a step of an 8B model in bf16: ≥ {STEP_TARGET:.0%} of the peak", percent(share, 1), share and share >= STEP_TARGET)
    m = measured.find("step", "70B, 4 bits")
    add("a step of a 70B model at 4 bits on one card", f"{m['seconds']:.2f} s" if m else "–", True if m else None)
    return rows


def measurement_tables(measured, peak):
    lines = []
    titles = {"ceiling": "Ceilings", "rows": "Kernels that wait for memory", "attention": "Attention",
              "loading": "Loading", "flash": "FlashAttention-2 of PyTorch"}
    for group, title in titles.items():
        if not measured.of(group):
            continue
        head = ["what", "extents", "µs", "fastest to slowest", "TFLOP/s", "of the vendor's peak", "of the measured product",
                "GB/s", "of the measured copy"]
        rows = []
        for m in measured.of(group):
            flops, bandwidth = m["flops"] / m["seconds"], m["bytes"] / m["seconds"]
            is_bfloat = "fp32" not in m["shape"]
            rows.append([m["name"], m["shape"], f"{1e6 * m['seconds']:.1f}", f"{1e6 * m['fastest']:.1f} to {1e6 * m['slowest']:.1f}",
                         f"{1e-12 * flops:.1f}" if flops else "–", percent(flops, is_bfloat and peak),
                         percent(flops, is_bfloat and measured.product), f"{1e-9 * bandwidth:.0f}" if bandwidth else "–",
                         percent(bandwidth, measured.bandwidth)])
        kept = [i for i in range(len(head)) if i < 4 or any(row[i] != "–" for row in rows)]
        lines += [f"## {title}", "", *table([head[i] for i in kept], [[row[i] for i in kept] for row in rows])]
    if measured.of("step"):
        rows = []
        for m in measured.of("step"):
            rate = m["flops"] / m["seconds"]
            phases = ", ".join(f"{m['seconds_' + phase]:.4f}" for phase in ("forward", "head", "backward"))
            rows.append([m["name"], m["shape"], int(m["rows"]), f"{m['seconds']:.4f}", phases, f"{m['flops']:.3g}", f"{1e-12 * rate:.1f}",
                         percent(rate, peak), percent(rate, measured.product), f"{m['weight_bytes'] / 2**30:.1f}",
                         f"{m['bytes_taken'] / 2**30:.1f}", "all" if m["kept_layers"] < 0 else int(m["kept_layers"])])
        lines += ["## Training steps on random weights", "",
                  *table(["model", "shape", "rows", "seconds", "forward, head, backward", "FLOPs needed", "TFLOP/s", "of the vendor's peak", "of the measured product",
                          "GiB of weights", "GiB taken", "layers kept"], rows)]
    if measured.failed:
        lines += ["## Not measured", "", *table(["group", "what", "why"], [[m["group"], m["name"], m["failed"]] for m in measured.failed])]
    return lines


def curve_tables(curves, failed):
    """Those of either dtype, and of every run that failed."""
    lines = []
    for curve in curves:
        if curve["name"] not in ("fp32", "bf16", *failed):
            continue
        rows = []
        for (step, loss, norm), (_, our_loss, our_norm) in zip(curve["golden"], curve["card"]):
            norms = ["–", "–"] if norm is None else [f"{norm:.7g}", f"{our_norm:.7g}"]
            rows.append([step, f"{loss:.8g}", f"{our_loss:.8g}", *norms])
        lines += [f"## Training, {curve['name']}: the cpu backend's curve and the card's", "",
                  *table(["step", "loss, cpu", "loss, card", "gradient norm, cpu", "gradient norm, card"], rows)]
    return lines


def excerpt(text):
    """What failed tests said, else the last lines."""
    said = re.findall(r"^\[ RUN      \] (?:(?!\[ RUN|\[       OK).*\n)+?\[  FAILED  \].*$", text, re.M)
    return "\n".join(said).splitlines()[:2 * LOG_LINES] or text.splitlines()[-LOG_LINES:]


def report(facts, results, curves, measurements, logs):
    card, built = facts["card"], facts["built"]
    measured = Measured(measurements)
    peak, bandwidth = peaks_of(card["name"])
    failed = [result for result in results if not result["passed"]]
    about = [["card", card["name"]], ["driver", card.get("driver", "–")], ["memory", card.get("memory", "–")],
             ["highest SM clock", card.get("clock", "–")], ["power limit", card.get("power", "–")],
             ["vendor's peak, bf16", f"{1e-12 * peak:.0f} TFLOP/s" if peak else "–"],
             ["vendor's bandwidth", f"{1e-9 * bandwidth:.0f} GB/s" if bandwidth else "–"],
             ["commit", built["commit"]], ["CUDA toolkit", built["toolkit"]], ["LibTorch", facts["torch"] or "–"],
             ["golden curve", built["golden"]], ["date", str(datetime.date.today())], ["seconds in all", f"{facts['seconds']:.0f}"]]
    passed = f"{len(results) - len(failed)} of {len(results)} checks passed"
    lines = [f"# {card['name']}, {datetime.date.today()}", "",
             f"Written by `scripts/gpu_check`. {passed}" + (f"; failed: {', '.join(r['name'] for r in failed)}." if failed else "."), "",
             *table(["", ""], about),
             "## Checks", "",
             *table(["stage", "what", "result", "seconds", ""],
                    [[r["stage"], r["name"], "passed" if r["passed"] else "**failed**", f"{r['seconds']:.1f}", r["detail"]]
                     for r in results])]
    if measurements:
        lines += ["## Targets", "", *table(["target", "measured", "met"], targets(measured, peak)), *measurement_tables(measured, peak)]
    lines += curve_tables(curves, [result["name"] for result in failed])
    for result in failed:
        text = "".join(log for name, log in logs.items()
                       if name.endswith(result["name"]) or name.split()[0] == result["stage"] == "tests")
        if text:
            lines += [f"## Log of {result['name']}", "", "```", *excerpt(text), "```", ""]
    return "\n".join(lines).rstrip() + "\n"
