"""The table of targets: what was aimed at, what was measured, and by how much it falls short."""

from typing import NamedTuple

PARAMETERS = 134_515_008
BYTES = {"fp32": 4, "bf16": 2}


class Goal(NamedTuple):
    what: str
    dtype: str
    part: str  # of the goal, mostly a case
    wanted: float
    value: float | None  # None: not measured
    unit: str = "×"
    is_ceiling: bool = False
    is_bound: bool = False  # the value is at least this much

    def shortfall(self):
        """A share of what is wanted; none where it is met."""
        lack = self.value / self.wanted - 1
        return max(0.0, lack if self.is_ceiling else -lack)


def above_weights(row, side=""):
    """Bytes of peak memory above one copy of the weights."""
    return row[side + "peak_kib"] * 1024 - PARAMETERS * BYTES[row["dtype"]]


def speedup(row):
    """How many times faster than the peer, and whether it may be more."""
    if row is None or "failed" in row:
        return None, False
    if "peer_at_least_s" in row:
        return row["peer_at_least_s"] / row["seconds"][1], True
    return row["peer_seconds"][1] / row["seconds"][1], False


def goals(rows) -> list:
    """`rows` of one machine."""
    by_key = {(row["case"], row["dtype"], row["peer"]): row for row in rows}
    result = []
    for dtype in BYTES:
        def row_of(case, peer, dtype=dtype):
            return by_key.get((case, dtype, peer))

        def add(what, part, wanted, value, dtype=dtype, **options):
            result.append(Goal(what, dtype, part, wanted, value, **options))

        for case, wanted in (("B", 7), ("C", 12), ("D", 15)):
            value, is_bound = speedup(row_of(case, "P1"))
            add("step against P1", case, wanted, value, is_bound=is_bound)
        for case in "BCDE":
            value, is_bound = against_best([row_of(case, "P2"), row_of(case, "P3")])
            add("step against the best of P2 and P3", case, 2, value, is_bound=is_bound)
        value, is_bound = speedup(row_of("F", "P1"))
        add("step against P1, nothing to share", "F", 1.5, value, is_bound=is_bound)
        wanted = {"fp32": 70, "bf16": 60}[dtype]
        for side, what in (("", "with sharing"), ("peer_", "without")):
            for case in "BCDE":
                row = row_of(case, "unshared")
                share = row and 100 * row[side + "flops"] / row[side + "seconds"][1] / row["peak_flops"]
                add(f"share of the peak, {what}", case, wanted, share, unit=" %")
        add("sharing pays from 32 shared rows, two sequences", "", 1, speedup(row_of("break-even", "unshared"))[0])
        row = row_of("B", "P1")
        value = above_weights(row, "peer_") / above_weights(row) if row and "peer_peak_kib" in row else None
        add("P1's memory above the weights, over ours", "B", 5, value)
        peaks = [row["whole_peak_kib"] for key, row in by_key.items() if key[:2] == ("D", dtype) and "whole_peak_kib" in row]
        add("memory in all", "D", 4, max(peaks) * 1024 / 1e9 if peaks else None, unit=" GB", is_ceiling=True)
        row = row_of("start", "")
        add("start to the first step", "", 1.5, row and row["seconds"][1], unit=" s", is_ceiling=True)
        row = row_of("evaluation", "training")
        add("evaluation against training, rows/s", "", 1.8, row and row["rows_per_s"][1] / row["peer_rows_per_s"][1])
    value, _ = speedup(by_key.get(("generation", "bf16", "llama.cpp")))
    result.append(Goal("generation against llama.cpp", "bf16", "", 1.2, value))
    row = by_key.get(("as-stored", "bf16", "converted"))
    result.append(Goal("step on weights as stored, of one on converted", "bf16", "", 1.15,
                       row and row["seconds"][1] / row["peer_seconds"][1], is_ceiling=True))
    result.append(Goal("resident weights as stored, of the file", "bf16", "", 1.1,
                       row and row["weights_kib"] * 1024 / row["file_bytes"], is_ceiling=True))
    return result


def against_best(rows):
    """The smallest speed-up over the peers that run, where all were measured."""
    if None in rows:
        return None, False
    return min((speedup(row) for row in rows if "failed" not in row), default=(None, False))


def number(value, unit=""):
    digits = 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit}"


def lines(rows) -> list:
    """A line for each target and dtype, its parts side by side."""
    grouped = {}
    for goal in goals(rows):
        grouped.setdefault(goal.what, {}).setdefault(goal.dtype, []).append(goal)
    result = ["| target | dtype | wanted | measured | met |", "|---|---|---|---|---|"]
    for what, by_dtype in grouped.items():
        for dtype, parts in by_dtype.items():
            result.append(f"| {what} | {dtype} | {wanted(parts)} | {measured(parts)} | {verdict(parts)} |")
    return result


def wanted(parts):
    texts = [("≤ " if goal.is_ceiling else "≥ ") + f"{goal.wanted:g}{goal.unit}" for goal in parts]
    if len(set(texts)) == 1:
        return f"{', '.join(goal.part for goal in parts)} {texts[0]}".strip()
    return ", ".join(f"{goal.part} {text}" for goal, text in zip(parts, texts))


def measured(parts):
    def text(goal):
        return "–" if goal.value is None else ("≥ " if goal.is_bound else "") + number(goal.value, goal.unit)

    return ", ".join(f"{goal.part} {text(goal)}".strip() for goal in parts)


def verdict(parts):
    if all(goal.value is None for goal in parts):
        return "not measured"
    said = []
    for goal in parts:
        if goal.value is None:
            said.append(f"{goal.part} not measured")
        elif goal.shortfall() > 0:
            said.append(f"{goal.part} " + ("not known" if goal.is_bound else f"misses by {100 * goal.shortfall():.1f} %"))
    return ", ".join(said).strip() or "yes"
