"""The program under test, run as users run it."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from safetensors.torch import load_file, save_file

import peers

PROGRAM = peers.BUILD / "bin" / "prescript"
PROBE = peers.BUILD / "bin" / "prescript_probe"
TEXT_PROBE = peers.BUILD / "bin" / "prescript_text_probe"
TEXT = (
    "You are a careful clinician. Answer the medical question accurately, safely and helpfully, "
    "with the consensus of medical science. "
)


def run(*arguments, code=0) -> subprocess.CompletedProcess:
    result = subprocess.run([PROGRAM, *map(str, arguments)], cwd=peers.ROOT, capture_output=True, text=True)
    if result.returncode != code:
        raise AssertionError(f"{' '.join(map(str, result.args))}: exit {result.returncode}\n{result.stderr}")
    return result


def json_lines(text) -> list:
    return [json.loads(line) for line in text.split("\n") if line]


def exemplars(path, count=None) -> list:
    """The first exemplars of a file of exemplars/."""
    return json_lines((peers.ROOT / "exemplars" / path).read_text())[:count]


def write_exemplars(path, records) -> pathlib.Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return path


def write_recipe(path, train, **sections) -> pathlib.Path:
    """A recipe in float32; `sections` are merged into it. Its output is the folder `run` beside it."""
    recipe = {"base_model": str(peers.MODEL), "dtype": "fp32", "output": str(path.parent / "run"),
              "soft_prompt": {"num_virtual_tokens": 20, "init": {"from": "text", "text": TEXT}}, "data": {"train": str(train)},
              "optimizer": {"schedule": "constant"}}
    for name, section in sections.items():
        recipe[name] = {**recipe.get(name, {}), **section} if isinstance(section, dict) else section
    path.write_text(json.dumps(recipe))
    return path


def score(inputs, *flags, model=peers.MODEL) -> list:
    """Of a file of exemplars, in float32."""
    return json_lines(run("score", "--model", model, "--dtype", "fp32", "--json", "--input", inputs, *flags).stdout)


def gradient(recipe, folder, *overrides):
    """(loss, gradient) of the first step."""
    path = folder / "gradient.safetensors"
    output = run("train", recipe, *overrides, "--dry-run", "--gradient", path).stdout
    return float(output.split("loss ")[1].split(",")[0]), load_file(path)["gradient"]


def metrics(run_folder) -> list:
    return json_lines((run_folder / "metrics.jsonl").read_text())


def probe(dtype, prompt, sequences, folder, rows_per_pass=1 << 20, share=True, model=peers.MODEL) -> dict:
    """Tensors that the engine writes for sequences (probe.cc)."""
    lines = [" ".join(map(str, [s.at, s.begin, s.end, *s.ids])) for s in sequences]
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    save_file({"prompt_embeddings": prompt.contiguous()}, folder / "prompt.safetensors")
    command = [PROBE, model, dtype, folder / "sequences.txt", folder / "prompt.safetensors"]
    command += [folder / "out.safetensors", str(rows_per_pass)] + ([] if share else ["unshared"])
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return load_file(folder / "out.safetensors")


class ProgramTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
