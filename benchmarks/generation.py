"""Greedy generation beside llama.cpp: an F16 file of the same weights for it, and the same tokens before both."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy

from measure import HERE, MODEL, PROGRAMS, STEPS, quartiles, say
from worker import ROOT, Worker

NEW_TOKENS = 64
TURN_BEGIN, TURN_END, NEW_LINE = 1, 2, 198
INSTRUCTION = "You are a careful clinician. Answer the medical question accurately, safely and helpfully."


def copy_metadata(reader, writer, is_wanted):
    for field in filter(lambda field: is_wanted(field.name), reader.fields.values()):
        of_elements = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=of_elements)


def half_model(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The F16 file of `source` in `folder`, written anew where the source is younger."""
    path = folder / f"{source.name.split('.')[0]}.F16.gguf"
    if path.exists() and path.stat().st_mtime > source.stat().st_mtime:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    reader = gguf.GGUFReader(str(source))
    architecture = reader.fields[gguf.Keys.General.ARCHITECTURE].contents()
    writer = gguf.GGUFWriter(str(unfinished), architecture)
    written_anew = (gguf.Keys.General.ARCHITECTURE, gguf.Keys.General.FILE_TYPE)
    copy_metadata(reader, writer, lambda name: name not in written_anew and not name.startswith("GGUF."))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.astype(numpy.float32 if values.ndim == 1 else numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(unfinished, path)
    return path


def prompts():
    """Token ids in the model's chat format: of an instruction, and of each question behind it up to its answer."""
    questions = [json.loads(line)["question"] for line in
                 (ROOT / "exemplars" / "consumer_health.validation.jsonl").read_text().splitlines()[:16]]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(["system", "user", "assistant", INSTRUCTION, *questions]) + "\n")
        file.flush()
        run = subprocess.run([PROGRAMS / "prescript", "tokenize", "--model", MODEL, "--input", file.name], check=True,
                             capture_output=True, text=True)
    system, user, assistant, instruction, *questions = map(json.loads, run.stdout.splitlines())
    between = [TURN_END, NEW_LINE, TURN_BEGIN]
    shared = [TURN_BEGIN, *system, NEW_LINE, *instruction, *between, *user, NEW_LINE]
    return shared, [[*question, *between, *assistant, NEW_LINE] for question in questions]


def generation(_, dtype, peer):
    """Greedy answers to 16 questions under one adapter, whose virtual tokens are the rows of the peer's first tokens."""
    half = half_model(MODEL, ROOT / "build" / "bench")
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in ("shared.txt", "prompts.txt")]
        shared, questions = prompts()
        for file, lines in zip(files, ([shared], questions)):
            file.write_text("".join(" ".join(map(str, ids)) + "\n" for ids in lines))
        turns = []
        with Worker(PROGRAMS / "prescript_generation_worker", MODEL, dtype, *files) as ours:
            threads = int(ours.ask("1")[2])
            with Worker(sys.executable, "-B", HERE / "llama_worker.py", half, threads, *files, NEW_TOKENS) as theirs:
                for _ in range(STEPS + 1):
                    turns.append([worker.ask(line) for worker in (ours, theirs) for line in ("1", str(NEW_TOKENS))])
                    say(f"generation-{dtype}: {turns[-1][1][0]:.2f} s, {peer} {turns[-1][3][0]:.2f} s")
    counted = turns[1:]
    row = {"new_tokens": NEW_TOKENS, "answers": len(questions), "steps": STEPS,
           "same_tokens": same_tokens(counted[0][1][3:], counted[0][3][3:])}
    for prefix, side in (("", 0), ("peer_", 2)):
        row |= {f"{prefix}seconds": quartiles([t[side + 1][0] for t in counted]),
                f"{prefix}prefill_s": quartiles([t[side][0] for t in counted]),
                f"{prefix}decode_s": quartiles([t[side + 1][0] - t[side][0] for t in counted]),
                f"{prefix}peak_kib": max(t[side + 1][1] for t in counted)}
    return row


def same_tokens(own, others):
    """How many new ids of all answers agree before the first that differs in each."""
    same = 0
    for begin in range(0, len(own), NEW_TOKENS):
        pairs = zip(own[begin:begin + NEW_TOKENS], others[begin:begin + NEW_TOKENS], strict=True)
        same += next((i for i, (a, b) in enumerate(pairs) if a != b), NEW_TOKENS)
    return same
