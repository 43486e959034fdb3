"""Prints the errors that DESIGN section 8 bounds, measured on SmolLM2 against transformers (docs/NUMERICS.md).

    .venv-interop/bin/python tests/interop/numerics.py

Oracle: autograd through transformers, every sequence by itself. float64 is the same model in float64.
"""

import functools
import json
import pathlib
import subprocess
import tempfile

import jinja2
import torch
from safetensors.torch import load_file, save_file

import peers

EXEMPLARS = peers.ROOT / "exemplars" / "consumer_health.train.jsonl"
NUM_VIRTUAL_TOKENS = 20


def render(messages, **options):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(peers.field("tokenizer.chat_template")).render(messages=messages, **options)


def sequences(first, count):
    """Exemplars as (at, begin, end, ids): targets are the answer's tokens and the end-of-turn token."""
    result = []
    lines = EXEMPLARS.read_text().splitlines()[first : first + count]
    for exemplar in map(json.loads, lines):
        user = [{"role": "user", "content": exemplar["question"]}]
        before = render(user, add_generation_prompt=True)
        whole = before + exemplar["answer"] + "<|im_end|>"
        begin = len(peers.tokenizer().encode(before).ids)
        ids = peers.tokenizer().encode(whole).ids
        result.append((0, begin, len(ids), ids))
    return result


def soft_prompt():
    """Rows of the vocabulary, drawn with a fixed seed."""
    generator = torch.Generator().manual_seed(7)
    embedding = peers.model().get_input_embeddings().weight
    return embedding[torch.randint(100, embedding.shape[0], (NUM_VIRTUAL_TOKENS,), generator=generator)].clone()


def theirs(dtype, batch):
    """Loss and gradient by autograd through transformers."""
    prompt = soft_prompt().to(torch.float64 if dtype == torch.float64 else torch.float32).requires_grad_(True)
    loss = peers.soft_prompt_loss(peers.model(dtype), prompt, batch)
    loss.backward()
    return loss.item(), prompt.grad.double()


def probe(dtype, batch, folder, rows_per_pass=1 << 20, share=True):
    """Tensors that the engine writes for a batch (probe.cc)."""
    folder = pathlib.Path(folder)
    lines = [" ".join(map(str, [at, begin, end, *ids])) for at, begin, end, ids in batch]
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    save_file({"prompt_embeddings": soft_prompt()}, folder / "prompt.safetensors")
    command = [peers.PROBE, peers.MODEL, dtype, folder / "sequences.txt", folder / "prompt.safetensors"]
    command += [folder / "out.safetensors", str(rows_per_pass)] + ([] if share else ["unshared"])
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return load_file(folder / "out.safetensors")


def ours(dtype, batch, rows_per_pass=1 << 20, share=True):
    """Loss and gradient by the engine."""
    with tempfile.TemporaryDirectory() as folder:
        out = probe(dtype, batch, folder, rows_per_pass, share)
    return out["loss"].item(), out["gradient"].double()


def error(result, oracle):
    """(relative difference of the loss, relative distance of the gradient)."""
    return abs(result[0] - oracle[0]) / abs(oracle[0]), ((result[1] - oracle[1]).norm() / oracle[1].norm()).item()


def float32_errors():
    """name -> (loss error, gradient error, bounds) in float32, on one batch."""
    batch = sequences(0, 6)
    reference = ours("fp32", batch)
    autograd, exact = theirs(torch.float32, batch), theirs(torch.float64, batch)
    against_autograd, between_schedules = (1e-5, 1e-4), (1e-6, 1e-5)
    return {
        "ours against autograd in float32": (*error(reference, autograd), against_autograd),
        "ours against autograd in float64": (*error(reference, exact), against_autograd),
        "autograd in float32 against float64": (*error(autograd, exact), None),
        "sharing off against on": (*error(ours("fp32", batch, share=False), reference), between_schedules),
        "passes of 400 rows against one": (*error(ours("fp32", batch, 400), reference), between_schedules),
    }


@functools.cache
def bfloat16_errors(num_batches=8, batch_size=3):
    """Per batch ((loss, gradient) error of ours, of transformers), both in bfloat16 against float64."""
    result = []
    for i in range(num_batches):
        batch = sequences(i * batch_size, batch_size)
        exact = theirs(torch.float64, batch)
        result.append((error(ours("bf16", batch), exact), error(theirs(torch.bfloat16, batch), exact)))
    return result


def main():
    print(f"SmolLM2-135M, {NUM_VIRTUAL_TOKENS} virtual tokens, exemplars of {EXEMPLARS.relative_to(peers.ROOT)}\n")
    print(f"{'float32':<40}{'loss':>10}{'gradient':>10}   allowed")
    for name, (loss, gradient, bounds) in float32_errors().items():
        allowed = f"{bounds[0]:.0e}, {bounds[1]:.0e}" if bounds else "-"
        print(f"{name:<40}{loss:>10.1e}{gradient:>10.1e}   {allowed}")
    print(f"\n{'bfloat16 against float64, per batch':<40}{'loss':>10}{'gradient':>10}")
    for i, (mine, peer) in enumerate(bfloat16_errors()):
        print(f"{f'batch {i}: ours':<40}{mine[0]:>10.1e}{mine[1]:>10.1e}")
        print(f"{f'batch {i}: transformers':<40}{peer[0]:>10.1e}{peer[1]:>10.1e}")


if __name__ == "__main__":
    main()
