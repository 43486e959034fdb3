"""Writes the rows into docs/PERFORMANCE.md, and the two figures that a user cares about into README.md."""

import os

import cases
import targets
from worker import ROOT

PAGE, README = ROOT / "docs" / "PERFORMANCE.md", ROOT / "README.md"
BEGIN, END = "<!-- scripts/bench writes from here -->\n", "<!-- to here -->\n"
ORDER = [*cases.CASES, "evaluation", "start", "generation", "as-stored", "beside-others", "estimate", "search", "head-start"]


def middle(values, digits=2):
    return f"{values[1]:.{digits}f} ({values[0]:.{digits}f} to {values[2]:.{digits}f})"


def megabytes(size):
    return f"{size / 1e6:.0f}"


def line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def commit(row):
    """Of prescript, at which the row was measured."""
    return row["versions"].split(", ")[0].removeprefix("prescript ")


def table(titles, lines):
    """No lines where there is none below the titles."""
    return [line(*titles), "|" + "---|" * len(titles), *lines, ""] if lines else []


def table_of(titles, cells_of, rows):
    """`cells_of(row)`, a line each, and the row's commit behind them."""
    return table([*titles, "commit"], [line(*cells_of(row), commit(row)) for row in rows])


def step_cells(row):
    key = row["case"], row["dtype"], row["peer"]
    if "failed" in row:
        return (*key, "", "", "", "", "", row["failed"])
    own = middle(row["seconds"]), megabytes(targets.above_weights(row))
    ratio, is_bound = targets.speedup(row)
    if is_bound:
        seconds = row["peer_at_least_s"]
        return (*key, own[0], f"> {seconds}", f"> {ratio:.2f}", own[1], "", f"stopped after {seconds} s of one step")
    batch = len(cases.CASES[row["case"]].lengths)
    notes = [f"micro-batch {row['micro_batch']}"] if row["micro_batch"] < batch else []
    return (*key, own[0], middle(row["peer_seconds"]), f"{ratio:.2f}", own[1],
            megabytes(targets.above_weights(row, "peer_")), ", ".join(notes))


def sharing_cells(row):
    rates = [row[side + "flops"] / row[side + "seconds"][1] for side in ("", "peer_")]
    shares = [f"{rate / 1e9:.0f}, {100 * rate / row['peak_flops']:.0f} %" for rate in rates]
    peaks = [f"{row[key] / 1e9:.0f}" for key in ("least_peak_flops", "peak_flops") if key in row]
    return (row["case"], row["dtype"], middle(row["seconds"]), middle(row["peer_seconds"]), f"{targets.speedup(row)[0]:.2f}",
            f"{row['rows']:.0f} of {row['peer_rows']:.0f}", *shares, " to ".join(peaks))


def evaluation_cells(row):
    return (row["dtype"], middle(row["rows_per_s"], 0), middle(row["peer_rows_per_s"], 0),
            f"{row['rows_per_s'][1] / row['peer_rows_per_s'][1]:.2f}")


def generation_cells(row):
    tokens = row["answers"] * row["new_tokens"]
    decode = [f"{(tokens - row['answers']) / row[side + 'decode_s'][1]:.0f}" for side in ("", "peer_")]
    return (row["dtype"], middle(row["seconds"]), middle(row["peer_seconds"]), f"{targets.speedup(row)[0]:.2f}",
            middle(row["prefill_s"]), middle(row["peer_prefill_s"]), *decode,
            megabytes(row["peak_kib"] * 1024), megabytes(row["peer_peak_kib"] * 1024), f"{row['same_tokens']} of {tokens}")


def as_stored_cells(row):
    sizes = (row["peak_kib"] * 1024, row["peer_peak_kib"] * 1024, row["weights_kib"] * 1024, row["peer_weights_kib"] * 1024)
    return (row["dtype"], middle(row["seconds"]), middle(row["peer_seconds"]), f"{1 / targets.speedup(row)[0]:.2f}",
            *map(megabytes, (*sizes, row["file_bytes"])))


def beside_others_cells(row):
    return (row["dtype"], *map(middle, row["seconds_beside"]))


def search_cells(row):
    return (row["dtype"], middle(row["seconds"], 1), middle(row["peer_seconds"], 1), f"{targets.speedup(row)[0]:.2f}")


def head_start_rows(row):
    for side, position in (("", "before_question"), ("peer_", "start")):
        yield row | {"position": position} | {key: row[side + key] for key in ("losses_at_start", "losses", "seconds", "rows")}


def head_start_cells(row):
    losses = [", ".join(f"{loss:.3f}" for loss in row[key]) for key in ("losses_at_start", "losses")]
    return (row["position"], row["dtype"], *losses, middle(row["seconds"]), f"{row['rows']:.0f}")


def estimate_rows(row):
    for what, told, measured in row["estimates"]:
        yield row | {"what": what, "told": told, "measured": measured}


def estimate_cells(row):
    return (row["dtype"], row["what"], f"{row['told']:.2f}", f"{row['measured']:.2f}", f"{row['told'] / row['measured']:.2f}")


def tables(rows) -> list:
    """Lines of Markdown; `rows` of one machine."""
    rows = sorted(rows, key=lambda row: (ORDER.index(row["case"]), row["dtype"], row["peer"]))
    steps = [row for row in rows if row["case"] in cases.CASES]

    def of(case):
        return [row for row in rows if row["case"] == case]

    return [
        *targets.lines(rows), "",
        *table_of(["case", "dtype", "peer", "ours, s", "peer, s", "ratio", "ours above the weights, MB", "peer", "note"], step_cells,
                  (row for row in steps if row["peer"] != "unshared")),
        *table_of(["case", "dtype", "with sharing, s", "without, s", "gain", "rows", "GFLOP/s, share of the peak", "without sharing",
                   "peak, GFLOP/s"], sharing_cells, (row for row in steps if row["peer"] == "unshared")),
        *table_of(["evaluation", "rows/s", "training, rows/s", "ratio"], evaluation_cells, of("evaluation")),
        *table_of(["start", "s"], lambda row: (row["dtype"], middle(row["seconds"])), of("start")),
        *table_of(["generation", "ours, s", "llama.cpp, s", "ratio", "prefill, s", "llama.cpp", "new tokens/s", "llama.cpp",
                   "peak, MB", "llama.cpp", "same tokens"], generation_cells, of("generation")),
        *table_of(["weights as stored", "s a step", "converted, s", "ratio", "peak, MB", "converted", "resident weights, MB",
                   "converted", "file, MB"], as_stored_cells, of("as-stored")),
        *table_of(["s a step beside busy processes", "none", "one", "two", "three"], beside_others_cells, of("beside-others")),
        *table_of(["estimate", "settings", "estimated, s a step", "measured, s", "ratio"], estimate_cells,
                  (each for row in of("estimate") for each in estimate_rows(row))),
        *table_of(["search", "six candidates in one run, s", "six runs, s", "ratio"], search_cells, of("search")),
        *table_of(["soft prompt", "dtype", "validation loss at the start", "the best of each seed", "s a step", "rows a step"],
                  head_start_cells, (each for row in of("head-start") for each in head_start_rows(row))),
    ]


def beside_peft(rows) -> list:
    """Time and memory of a step of case B beside PEFT, as README.md shows them; none where they are not measured."""
    case = cases.CASES["B"]
    measured = [row for row in rows if (row["case"], row["peer"]) == ("B", "P1") and "peer_seconds" in row]
    if not measured:
        return []
    last = max(measured, key=lambda row: row["date"])
    versions = ", ".join(v for v in last["versions"].split(", ") if v.split()[0] in ("prescript", "torch", "transformers", "peft"))
    result = [f"One training step of SmolLM2-135M: {case.num_virtual} virtual tokens, an instruction of {case.shared} tokens, "
              f"{len(case.lengths)} exemplars of {min(case.lengths)} to {max(case.lengths)} tokens behind it.",
              f"{last['machine']}, {last['date']}; {versions}.", "", "| | prescript | PEFT | |", "|---|---|---|---|"]
    for row in measured:
        own, peers = row["seconds"][1], row["peer_seconds"][1]
        result.append(line(f"seconds a step, {row['dtype']}", f"{own:.1f}", f"{peers:.1f}", f"{peers / own:.1f}× faster"))
        own, peers = (row[side + "peak_kib"] * 1024 / 1e9 for side in ("", "peer_"))
        result.append(line(f"peak memory, {row['dtype']}", f"{own:.1f} GB", f"{peers:.1f} GB", f"{peers / own:.1f}× smaller"))
    return result


def replace_between(path, lines, begin=BEGIN):
    """The lines between the file's two marks; the file appears whole."""
    before, rest = path.read_text().split(begin)
    after = rest.split(END)[1]
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(before + begin + "\n".join(lines) + "\n" + END + after)
    os.replace(unfinished, path)


def write(rows, page=PAGE, readme=README):
    rows = list(rows)
    machines = sorted({row["machine"] for row in rows})
    lines = []
    for name in machines:
        own = [row for row in rows if row["machine"] == name]
        dates = sorted(row["date"] for row in own)
        peers = dict.fromkeys(row["versions"].partition(", ")[2] for row in own)
        lines += [f"### {name}", "", f"{dates[0]} to {dates[-1]}; {'; '.join(peers)}.", "", *tables(own)]
    replace_between(page, lines)
    newest = max(reversed(rows), key=lambda row: row["date"])["machine"]  # of a day the last
    figures = beside_peft([row for row in rows if row["machine"] == newest])
    if figures:
        replace_between(readme, figures)
