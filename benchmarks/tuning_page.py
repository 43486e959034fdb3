"""The tables of docs/TUNING.md, of the rows that scripts/dev tuning kept."""

import statistics

import numpy

from page import line, replace_between, table
from worker import ROOT

PAGE = ROOT / "docs" / "TUNING.md"
BEGIN = "<!-- scripts/dev tuning writes from here -->\n"
SETS = {"answers": "Long answers", "choices": "Multiple choice"}
REPLICAS, BOOTSTRAP_SEED = 10_000, 1


def means(rows, side, name):
    """(setting, rate) -> the lowest validation loss, mean over seeds."""
    found = {}
    for row in rows:
        if (row["phase"], row["side"], row["set"]) == ("try", side, name):
            found.setdefault((row["setting"], row["rate"]), []).append(lowest(row))
    return {key: statistics.mean(values) for key, values in found.items()}


def lowest(row):
    """What is not a number is no loss that was reached."""
    return min(loss for loss in row["losses"] if loss == loss)


def tried(rows, side, name):
    """A line a setting and machine, a column a rate: mean over seeds and, of several, their spread."""
    own = [row for row in rows if (row["phase"], row["side"], row["set"]) == ("try", side, name)]
    if not own:
        return []
    rates = sorted({row["rate"] for row in own})
    lines = dict.fromkeys((row["setting"], row["machine"]) for row in own)
    best = min(means(rows, side, name).items(), key=lambda item: item[1], default=(None, None))[0]

    def cell(setting, machine, rate):
        losses = [lowest(row) for row in own if (row["setting"], row["machine"], row["rate"]) == (setting, machine, rate)]
        if not losses:
            return ""
        spread = f" ± {(max(losses) - min(losses)) / 2:.3f}" if len(losses) > 1 else ""
        text = f"{statistics.mean(losses):.3f}{spread}"
        return f"**{text}**" if (setting, rate) == best else text

    return table([side, "on", *(f"rate {rate:g}" for rate in rates)],
                 [line(setting, machine, *(cell(setting, machine, rate) for rate in rates)) for setting, machine in lines])


def system(row):
    return row["side"], row["setting"], row["machine"], row["rate"]


def interval(values):
    low, high = numpy.percentile(values, [2.5, 97.5])
    return f"{low:.3f} to {high:.3f}"


def compared(rows, name):
    """Every finalist, its seeds together, on the same exemplars or questions, and how far it is from PEFT's best."""
    own = [row for row in rows if (row["phase"], row["set"]) == ("compare", name)]
    if not own:
        return []
    ids = [judged[0] for judged in own[0]["judged"]]
    systems = {}
    for row in own:
        by_id = {identity: values for identity, *values in row["judged"]}
        systems.setdefault(system(row), []).append([by_id[identity] for identity in ids])
    # Of each system what was measured of an exemplar or question, summed over seeds: [items, 1 or 2].
    systems = {key: numpy.array(values, float).sum(0) for key, values in systems.items()}
    seeds = {key: sum(system(row) == key for row in own) for key in systems}
    draws = numpy.random.default_rng(BOOTSTRAP_SEED).integers(0, len(ids), (REPLICAS, len(ids)))

    def value(key, drawn):
        picked = systems[key][drawn].sum(-2)
        return -picked[..., 0] / picked[..., 1] if name == "answers" else picked[..., 0] / seeds[key] / len(ids)

    everything = numpy.arange(len(ids))
    peers = [key for key in systems if key[0] == "PEFT"]
    pick = min if name == "answers" else max
    best = pick(peers, key=lambda key: value(key, everything)) if peers else None
    lines = []
    for key in systems:
        side, setting, machine, rate = key
        drawn = value(key, draws)
        beside = "" if best in (None, key) else \
            f"{value(key, everything) - value(best, everything):+.3f} ({interval(drawn - value(best, draws))})"
        validation = [lowest(row) for row in own if system(row) == key and row["losses"]]
        lines.append(line(side, setting, machine, f"{rate:g}" if rate else "", seeds[key], f"{value(key, everything):.3f} ({interval(drawn)})",
                          beside, f"{statistics.mean(validation):.3f}" if validation else ""))
    what = f"loss of {len(ids)} validation exemplars (95 %)" if name == "answers" else f"accuracy on {len(ids)} questions (95 %)"
    return table(["", "setting", "on", "rate", "seeds", what, "less that of PEFT's best (95 %)", "validation loss in training"], lines)


def tables(rows) -> list:
    """Lines of Markdown."""
    lines = []
    for name, title in SETS.items():
        lines += [f"### {title}: what was tried", ""]
        for side in ("prescript", "PEFT"):
            lines += tried(rows, side, name)
        if best := compared(rows, name):
            lines += [f"### {title}: the best, trained anew", "", *best]
    return lines[:-1]


def write(rows):
    replace_between(PAGE, tables(rows), BEGIN)
