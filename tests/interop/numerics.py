"""Prints the errors that DESIGN section 8 bounds, measured on SmolLM2 against transformers (docs/NUMERICS.md).

    scripts/dev numerics

Oracle: autograd through transformers, every sequence by itself. float64 is the same model in float64.
"""

import functools
import pathlib
import tempfile

import torch

import peers
import program

EXEMPLARS = "consumer_health.train.jsonl"
NUM_VIRTUAL_TOKENS = 20


def sequences(first, count):
    return [peers.training_sequence(e) for e in program.exemplars(EXEMPLARS)[first : first + count]]


def theirs(dtype, batch, seed=7):
    """Loss and gradient by autograd through transformers. seed: of the soft prompt."""
    prompt = peers.vocabulary_rows(NUM_VIRTUAL_TOKENS, seed)
    loss, gradient = peers.loss_and_gradient(peers.model(dtype), prompt.double() if dtype == torch.float64 else prompt, batch)
    return loss, gradient.double()


def ours(dtype, batch, seed=7, **options):
    """Loss and gradient by the engine."""
    prompt = peers.vocabulary_rows(NUM_VIRTUAL_TOKENS, seed)
    with tempfile.TemporaryDirectory() as folder:
        out = program.probe(dtype, prompt, batch, pathlib.Path(folder), **options)
    return out["loss"].item(), out["gradient"].double()


def error(result, oracle):
    """(relative difference of the loss, relative distance of the gradient)."""
    return abs(result[0] - oracle[0]) / abs(oracle[0]), ((result[1] - oracle[1]).norm() / oracle[1].norm()).item()


def float32_errors():
    """name -> (loss error, gradient error, bounds) in float32, on one batch."""
    batch = sequences(0, 3)
    reference = ours("fp32", batch)
    autograd, exact = theirs(torch.float32, batch), theirs(torch.float64, batch)
    against_autograd, between_schedules = (1e-5, 1e-4), (1e-6, 1e-5)
    return {
        "ours against autograd in float32": (*error(reference, autograd), None),  # mostly the error of the other side
        "ours against autograd in float64": (*error(reference, exact), against_autograd),
        "autograd in float32 against float64": (*error(autograd, exact), None),
        "sharing off against on": (*error(ours("fp32", batch, share=False), reference), between_schedules),
        "passes of 400 rows against one": (*error(ours("fp32", batch, rows_per_pass=400), reference), between_schedules),
        "passes of 64 rows against one": (*error(ours("fp32", batch, rows_per_pass=64), reference), between_schedules),  # a pass a leaf
    }


@functools.cache
def bfloat16_errors(num_batches=6, batch_size=2):
    """Per batch ((loss, gradient) error of ours, of transformers), both in bfloat16 against float64.

    Every batch has a soft prompt of its own: sequences under one share the rounding of its K/V, and so their errors.
    """
    result = []
    for i in range(num_batches):
        batch = sequences(i * batch_size, batch_size)
        exact = theirs(torch.float64, batch, i)
        result.append((error(ours("bf16", batch, i), exact), error(theirs(torch.bfloat16, batch, i), exact)))
    return result


def main():
    print(f"SmolLM2-135M, {NUM_VIRTUAL_TOKENS} virtual tokens, exemplars of exemplars/{EXEMPLARS}\n")
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
